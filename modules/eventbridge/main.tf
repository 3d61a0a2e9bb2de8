resource "aws_cloudwatch_event_rule" "this" {
  count = var.rule.create ? 1 : 0

  name          = var.rule.name
  description   = "What happens to objects in ${local.buckets}, as far as the pipeline's filters name it."
  event_pattern = local.pattern
  tags          = var.tags

  lifecycle {
    # A bucket that changes to another way must have changed before the rule goes. The price: a tainted
    # rule is put again and then deleted, being the same, and comes back with the next apply.
    create_before_destroy = true

    precondition {
      condition = local.pattern_bytes <= 2048
      error_message = join(" ", [
        "${length(var.rule.buckets) > 1 ? "delivery.filters and delivery.buckets" : "delivery.filters"} make an event pattern of",
        "${nonsensitive(local.pattern_bytes)} bytes; EventBridge takes 2048:",
        length(var.rule.buckets) > 1 ? "write fewer or shorter ones, or a second pipeline." : "write fewer or shorter filters, or deliver by notification.",
      ])
    }
  }
}

# It waits for the queues, but not for the function, whose ARN is derived: create_before_destroy
# reaches whatever a resource depends on, and function and role can't exist twice under one name. No event
# comes before the bucket's notification configuration, which waits for all of it. On an existing
# bucket events of the seconds before the first apply is through may be refused, like those of the
# seconds before the rule.
resource "aws_cloudwatch_event_target" "this" {
  count = var.rule.create ? 1 : 0

  rule      = aws_cloudwatch_event_rule.this[0].name
  target_id = "pipeline"
  arn       = var.target_arn

  # EventBridge's most, in attempts and in time.
  retry_policy {
    maximum_retry_attempts       = 185
    maximum_event_age_in_seconds = 86400
  }

  dead_letter_config {
    arn = var.failure_queue_arn
  }

  lifecycle {
    create_before_destroy = true
  }
}

# One statement of the bus's policy each: the others, of whoever else uses the bus, stay.
resource "aws_cloudwatch_event_permission" "sender" {
  for_each = nonsensitive(toset(var.senders))

  statement_id = "${local.statement}-${each.value}"
  principal    = each.value
  action       = "events:PutEvents"
}

locals {
  # The rule's name, so that two pipelines never share a statement. Ids have no dots, and 64 characters at most.
  statement = (
    can(regex("^[A-Za-z0-9_-]{1,51}$", var.rule.name))
    ? var.rule.name
    : "${substr(replace(var.rule.name, ".", "_"), 0, 42)}-${substr(sha256(var.rule.name), 0, 8)}"
  )

  # EventBridge takes 512 characters.
  buckets = length(var.rule.buckets) == 1 ? var.rule.buckets[0] : "${length(var.rule.buckets)} buckets"
}
