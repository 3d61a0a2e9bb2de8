data "aws_iam_policy_document" "failures" {
  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [var.queue.arn]

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

resource "aws_sqs_queue" "failures" {
  name                       = var.queue.name
  message_retention_seconds  = 14 * 24 * 3600
  visibility_timeout_seconds = var.queue.visibility_timeout_seconds
  sqs_managed_sse_enabled    = true
  # Inline, since a policy of its own makes the provider poll for another 25 seconds.
  policy = data.aws_iam_policy_document.failures.json
  tags   = var.tags
}
