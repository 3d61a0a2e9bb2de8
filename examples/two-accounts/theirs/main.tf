# What the other account has: a bucket, and a rule that forwards its events. Apply it with their credentials.
provider "aws" {}

variable "pipeline_account" {
  description = "Id of the account that the pipeline is in."
  type        = string
  nullable    = false
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_service_principal" "events" {
  service_name = "events"
}

locals {
  event_bus_arn = join(":", [
    "arn", data.aws_partition.current.partition, "events", data.aws_service_principal.events.region, var.pipeline_account, "event-bus/default",
  ])
}

resource "aws_s3_bucket" "media" {
  # checkov:skip=CKV_AWS_18:The owner's business; as little as the example needs.
  # checkov:skip=CKV_AWS_21:Versions are the owner's business, and the example needs none.
  # checkov:skip=CKV_AWS_144:Replication is the owner's business, and costs money.
  # checkov:skip=CKV_AWS_145:A customer-managed key costs a dollar a month.
  # checkov:skip=CKV2_AWS_61:Nothing stays here for longer than the example is tried.
  bucket        = "media-of-${data.aws_caller_identity.current.account_id}"
  force_destroy = true
}

resource "aws_s3_bucket_public_access_block" "media" {
  bucket                  = aws_s3_bucket.media.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_notification" "media" {
  bucket      = aws_s3_bucket.media.id
  eventbridge = true
}

# Each event that is sent on costs money: the pattern is as narrow as what the pipeline takes.
resource "aws_cloudwatch_event_rule" "forward" {
  name        = "uploads-to-pipeline"
  description = "Sends uploads to the pipeline's account."

  event_pattern = jsonencode({
    source      = ["aws.s3"]
    detail-type = ["Object Created"]
    detail      = { bucket = { name = [aws_s3_bucket.media.bucket] } }
  })
}

resource "aws_cloudwatch_event_target" "forward" {
  rule      = aws_cloudwatch_event_rule.forward.name
  target_id = "pipeline"
  arn       = local.event_bus_arn
  role_arn  = aws_iam_role.forward.arn
}

resource "aws_iam_role" "forward" {
  name               = "uploads-to-pipeline"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

data "aws_iam_policy_document" "trust" {
  statement {
    sid     = "EventBridgeAssumes"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy" "forward" {
  name   = "forward"
  role   = aws_iam_role.forward.id
  policy = data.aws_iam_policy_document.forward.json
}

data "aws_iam_policy_document" "forward" {
  statement {
    sid       = "SendToTheirBus"
    actions   = ["events:PutEvents"]
    resources = [local.event_bus_arn]
  }
}

output "bucket_name" {
  description = "Name of the bucket, the example's their_bucket."
  value       = aws_s3_bucket.media.id
}
