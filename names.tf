data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

# The one source of the region that neither provider 5.100 nor 6.x deprecates.
data "aws_service_principal" "s3" {
  service_name = "s3"
}

# The provider's own setting: nothing is asked of AWS.
data "aws_default_tags" "current" {}

# ARNs are derived from names: policies are then whole at plan time, and no policy waits for the
# resource that it protects.
locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  dns_suffix = data.aws_partition.current.dns_suffix
  region     = data.aws_service_principal.s3.region
  prefix     = var.name_prefix == null ? "" : var.name_prefix

  bucket_name        = coalesce(var.bucket.name, "${local.prefix}event-driven-lab-${local.account_id}-${local.region}")
  table_name         = coalesce(var.table.name, "${local.prefix}S3ObjectEvents")
  function_name      = coalesce(var.function.name, "${local.prefix}S3ToDynamoProcessor")
  role_name          = coalesce(var.function.role_name, "${local.prefix}Lambda-S3-DDB-Role")
  topic_name         = coalesce(var.topic.name, "${local.prefix}event-driven-alerts")
  failure_queue_name = coalesce(var.delivery.failure_queue_name, "${local.prefix}event-driven-failures")
  buffer_name        = coalesce(try(var.delivery.buffer.name, null), "${local.prefix}event-driven-buffer")
  rule_name          = coalesce(var.delivery.rule_name, "${local.prefix}event-driven-uploads")
  dashboard_name     = coalesce(var.dashboard.name, "${local.prefix}event-driven-pipeline")
  backfill_role_name = coalesce(var.backfill.role_name, "${local.prefix}S3-Batch-Role")
  jobs_bucket_name   = coalesce(var.backfill.bucket, local.bucket_name)
  jobs_prefix        = "batch-operations/${local.function_name}/"
  log_group_name     = "/aws/lambda/${local.function_name}"

  bucket_arn        = "arn:${local.partition}:s3:::${local.bucket_name}"
  table_arn         = "arn:${local.partition}:dynamodb:${local.region}:${local.account_id}:table/${local.table_name}"
  function_arn      = "arn:${local.partition}:lambda:${local.region}:${local.account_id}:function:${local.function_name}"
  topic_arns        = "arn:${local.partition}:sns:${local.region}:${local.account_id}:"
  topic_arn         = "${local.topic_arns}${local.topic_name}"
  failure_queue_arn = "arn:${local.partition}:sqs:${local.region}:${local.account_id}:${local.failure_queue_name}"
  buffer_arn        = "arn:${local.partition}:sqs:${local.region}:${local.account_id}:${local.buffer_name}"
  rule_arn          = "arn:${local.partition}:events:${local.region}:${local.account_id}:rule/${local.rule_name}"
  kms_arns          = "arn:${local.partition}:kms:${local.region}:"
  log_group_arn     = "arn:${local.partition}:logs:${local.region}:${local.account_id}:log-group:${local.log_group_name}"
  alarm_arns        = "arn:${local.partition}:cloudwatch:${local.region}:${local.account_id}:alarm:*"
}

# IAM takes keys that differ only in case for the same: the default gives way to the provider's.
locals {
  default_tags       = data.aws_default_tags.current.tags
  tagged_by_provider = contains([for key in keys(local.default_tags) : lower(key)], "environment")
  tags               = var.tags != null ? var.tags : local.tagged_by_provider ? {} : { Environment = "Lab" }
}
