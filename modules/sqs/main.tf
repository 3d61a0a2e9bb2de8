resource "aws_sqs_queue" "failures" {
  # checkov:skip=CKV_AWS_27:Encrypted either way, by the keys of SQS or by one whose ARN a plan may not know yet.
  name                       = terraform_data.kept_name["failures"].input
  message_retention_seconds  = 14 * 24 * 3600
  visibility_timeout_seconds = var.failures.visibility_timeout_seconds
  sqs_managed_sse_enabled    = var.kms.enabled ? null : true
  kms_master_key_id          = var.kms.key_arn
  # Inline, since a policy of its own makes the provider poll for another 25 seconds.
  policy = data.aws_iam_policy_document.failures.json
  tags   = var.tags
}

resource "aws_sqs_queue" "buffer" {
  # checkov:skip=CKV_AWS_27:Encrypted either way, by the keys of SQS or by one whose ARN a plan may not know yet.
  count = var.buffer.create ? 1 : 0

  name                       = terraform_data.kept_name["buffer"].input
  message_retention_seconds  = var.buffer.retention_seconds
  visibility_timeout_seconds = var.buffer.visibility_timeout_seconds
  redrive_policy             = jsonencode({ deadLetterTargetArn = var.failures.arn, maxReceiveCount = var.buffer.max_receive_count })
  sqs_managed_sse_enabled    = var.kms.enabled ? null : true
  kms_master_key_id          = var.kms.key_arn
  policy                     = data.aws_iam_policy_document.buffer.json
  tags                       = var.tags

  # SQS refuses a dead-letter queue that does not exist.
  depends_on = [aws_sqs_queue.failures]

  lifecycle {
    # A bucket or rule that changes to another way must have changed before the queue goes. The price: a
    # tainted queue is made again and then deleted, being the same, and comes back with the next apply.
    create_before_destroy = true
  }
}

locals {
  queues = merge(
    { failures = { name = var.failures.name, setting = "delivery.failure_queue_name", before = "replay its events" } },
    var.buffer.create ? { buffer = { name = var.buffer.name, setting = "delivery.buffer.name", before = "let the function empty it" } } : {},
  )
}

# A queue's name is the one it was made with, also where a plan does not know the name yet: another
# name would replace it, and its messages go with it. `-replace` takes the new one.
resource "terraform_data" "kept_name" {
  for_each = nonsensitive(local.queues)

  input = each.value.name

  lifecycle {
    ignore_changes = [input]

    postcondition {
      condition = self.input == each.value.name
      error_message = join(" ", [
        "The queue \"${self.input}\" would be deleted with its messages and an empty one made as \"${each.value.name}\".",
        "To keep it, write ${each.value.setting} = \"${self.input}\".",
        "To give it up, ${each.value.before}, then run",
        "terraform apply -replace='….module.queues.terraform_data.kept_name[\"${each.key}\"]' (terraform state list shows the whole address).",
      ])
    }
  }
}
