resource "aws_sns_topic" "this" {
  # checkov:skip=CKV_AWS_26:CloudWatch can't publish through the AWS-managed key, and a customer-managed key costs a dollar a month.
  count = var.topic.create ? 1 : 0

  name              = terraform_data.kept_name[0].input
  kms_master_key_id = var.kms.key_arn
  tags              = var.tags
}

# The topic's name is the one it was made with, also where a plan does not know the name yet: another
# name would replace it, and its subscriptions go with it. `-replace` takes the new one.
resource "terraform_data" "kept_name" {
  count = var.topic.create ? 1 : 0

  input = var.topic.name

  lifecycle {
    ignore_changes = [input]

    postcondition {
      condition = self.input == var.topic.name
      error_message = join(" ", [
        "The topic \"${self.input}\" would be deleted with its subscriptions and a new one made as \"${var.topic.name}\":",
        "every e-mail and HTTPS address would have to confirm again, and no alarm reaches it before.",
        "To keep it, write topic.name = \"${self.input}\".",
        "To give it up, run",
        "terraform apply -replace='….module.topic.terraform_data.kept_name[0]' (terraform state list shows the whole address).",
      ])
    }
  }
}

data "aws_iam_policy_document" "topic" {
  statement {
    sid       = "AlarmsOfThisAccountPublish"
    actions   = ["sns:Publish"]
    resources = [var.topic.arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = [var.alarm_arns]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }
  }

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["sns:Publish"]
    resources = [var.topic.arn]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_sns_topic_policy" "this" {
  count = var.topic.create ? 1 : 0

  arn    = aws_sns_topic.this[0].arn
  policy = data.aws_iam_policy_document.topic.json
}

locals {
  arn = var.topic.create ? one(aws_sns_topic.this[*].arn) : var.topic.arn
}

resource "aws_sns_topic_subscription" "email" {
  # Addresses become keys, which may not be sensitive.
  for_each = nonsensitive(toset(var.alarm_emails))

  topic_arn = local.arn
  protocol  = "email"
  endpoint  = each.value
}

resource "aws_sns_topic_subscription" "this" {
  # Not the subscriptions themselves: endpoints may hold keys, and stay sensitive if they are.
  for_each = toset(nonsensitive(keys(var.topic.subscriptions)))

  topic_arn            = local.arn
  protocol             = var.topic.subscriptions[each.key].protocol
  endpoint             = var.topic.subscriptions[each.key].endpoint
  raw_message_delivery = var.topic.subscriptions[each.key].raw
  filter_policy        = var.topic.subscriptions[each.key].filter_policy
  # CloudWatch's messages have a body and no attributes to filter by.
  filter_policy_scope = var.topic.subscriptions[each.key].filter_policy == null ? null : "MessageBody"
}
