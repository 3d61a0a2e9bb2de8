# What others need of the same bucket. They write its ARN from the literal name: an output of the module,
# which waits for their queue and policy, would be a cycle.
data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  bucket_name = "acme-uploads-${data.aws_caller_identity.current.account_id}"
  bucket_arn  = "arn:${data.aws_partition.current.partition}:s3:::${local.bucket_name}"
}

# The policy is inline: S3 asks the queue before it takes the notification.
resource "aws_sqs_queue" "previews" {
  name                    = "acme-previews"
  sqs_managed_sse_enabled = true
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "UploadsOfImages"
      Effect    = "Allow"
      Action    = "sqs:SendMessage"
      Resource  = "*"
      Principal = { Service = "s3.amazonaws.com" }
      Condition = {
        ArnEquals    = { "aws:SourceArn" = local.bucket_arn }
        StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id }
      }
    }]
  })
}

data "aws_iam_policy_document" "readers" {
  statement {
    sid       = "AccountReadsImages"
    actions   = ["s3:GetObject"]
    resources = ["${local.bucket_arn}/images/*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:root"]
    }
  }
}
