# Doors belong to the sources that exist, not to the way events take just now: S3 takes up to five
# minutes to heed a new notification configuration, and a policy that changed first would refuse
# what the old one still sends.
locals {
  bucket_sends = var.sources.bucket_arn == null ? [] : [var.sources.bucket_arn]
  rule_sends   = var.sources.rule_arn == null ? [] : [var.sources.rule_arn]
}

data "aws_iam_policy_document" "failures" {
  source_policy_documents = [data.aws_iam_policy_document.tls["failures"].json]

  dynamic "statement" {
    for_each = local.rule_sends

    content {
      sid       = "RuleHandsOverFailures"
      actions   = ["sqs:SendMessage"]
      resources = [var.failures.arn]

      principals {
        type        = "Service"
        identifiers = ["events.amazonaws.com"]
      }

      # It holds the account.
      condition {
        test     = "ArnEquals"
        variable = "aws:SourceArn"
        values   = [statement.value]
      }
    }
  }
}

data "aws_iam_policy_document" "buffer" {
  source_policy_documents = [data.aws_iam_policy_document.tls["buffer"].json]

  dynamic "statement" {
    for_each = local.bucket_sends

    content {
      sid       = "BucketSends"
      actions   = ["sqs:SendMessage"]
      resources = [var.buffer.arn]

      principals {
        type        = "Service"
        identifiers = ["s3.amazonaws.com"]
      }

      condition {
        test     = "ArnEquals"
        variable = "aws:SourceArn"
        values   = [statement.value]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [var.sources.account_id]
      }
    }
  }

  dynamic "statement" {
    for_each = local.rule_sends

    content {
      sid       = "RuleSends"
      actions   = ["sqs:SendMessage"]
      resources = [var.buffer.arn]

      principals {
        type        = "Service"
        identifiers = ["events.amazonaws.com"]
      }

      condition {
        test     = "ArnEquals"
        variable = "aws:SourceArn"
        values   = [statement.value]
      }
    }
  }
}

data "aws_iam_policy_document" "tls" {
  for_each = { failures = var.failures.arn, buffer = var.buffer.arn }

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [each.value]

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
