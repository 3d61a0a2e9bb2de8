# What the bucket's owner has, in a state of their own. Here to try the example in an empty account.
provider "aws" {}

data "aws_caller_identity" "current" {}

resource "aws_s3_bucket" "media" {
  # checkov:skip=CKV_AWS_18:The owner's business; as little as the example needs.
  # checkov:skip=CKV_AWS_21:Versions are the owner's business, and the example needs none.
  # checkov:skip=CKV_AWS_144:Replication is the owner's business, and costs money.
  # checkov:skip=CKV_AWS_145:A customer-managed key costs a dollar a month.
  # checkov:skip=CKV2_AWS_61:Nothing stays here for longer than the example is tried.
  bucket        = "media-of-somebody-else-${data.aws_caller_identity.current.account_id}"
  force_destroy = true
}

resource "aws_s3_bucket_public_access_block" "media" {
  bucket                  = aws_s3_bucket.media.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# A bucket has one notification configuration. They need theirs, and switch EventBridge on for others.
resource "aws_s3_bucket_notification" "media" {
  bucket      = aws_s3_bucket.media.id
  eventbridge = true

  queue {
    queue_arn = aws_sqs_queue.thumbnails.arn
    events    = ["s3:ObjectCreated:*"]
  }

  depends_on = [aws_sqs_queue_policy.thumbnails]
}

resource "aws_sqs_queue" "thumbnails" {
  name                    = "media-thumbnails"
  sqs_managed_sse_enabled = true
}

resource "aws_sqs_queue_policy" "thumbnails" {
  queue_url = aws_sqs_queue.thumbnails.url
  policy    = data.aws_iam_policy_document.queue.json
}

data "aws_iam_policy_document" "queue" {
  statement {
    sid       = "EventsOfTheBucket"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.thumbnails.arn]

    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_s3_bucket.media.arn]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

output "bucket_name" {
  description = "Name of the bucket, the example's bucket_name."
  value       = aws_s3_bucket.media.id
}

output "queue_url" {
  description = "URL of the queue that the bucket tells of each upload."
  value       = aws_sqs_queue.thumbnails.url
}
