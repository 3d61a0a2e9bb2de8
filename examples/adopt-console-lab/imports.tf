# What the console made, in the order in which the lab makes it. Delete this file once it is applied.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_service_principal" "sns" {
  service_name = "sns"
}

locals {
  topic_arn = join(":", [
    "arn", data.aws_partition.current.partition, "sns", data.aws_service_principal.sns.region,
    data.aws_caller_identity.current.account_id, var.names.topic,
  ])
}

import {
  to = module.pipeline.module.topic.aws_sns_topic.this[0]
  id = local.topic_arn
}

import {
  to = module.pipeline.module.topic.aws_sns_topic_policy.this[0]
  id = local.topic_arn
}

import {
  for_each = { for address, arn in var.subscriptions : address => arn if arn != null }

  to = module.pipeline.module.topic.aws_sns_topic_subscription.email[each.key]
  id = each.value
}

import {
  to = module.pipeline.module.table.aws_dynamodb_table.this
  id = var.names.table
}

import {
  to = module.pipeline.module.role.aws_iam_role.this
  id = var.names.role
}

# Its full-access policies, so that the plan lists those that go.
import {
  to = aws_iam_role_policy_attachments_exclusive.lab
  id = var.names.role
}

import {
  to = module.pipeline.module.function.aws_lambda_function.this
  id = var.names.function
}

import {
  to = module.pipeline.module.function.aws_cloudwatch_log_group.this
  id = "/aws/lambda/${var.names.function}"
}

import {
  for_each = var.permission_sid == null ? [] : [var.permission_sid]

  to = module.pipeline.module.function.aws_lambda_permission.bucket[0]
  id = "${var.names.function}/${each.value}"
}

import {
  for_each = var.also_there.invoke_config ? [var.names.function] : []

  to = module.pipeline.module.function.aws_lambda_function_event_invoke_config.this
  id = each.value
}

import {
  to = module.pipeline.module.bucket.aws_s3_bucket.this[0]
  id = var.bucket_name
}

import {
  to = module.pipeline.module.bucket.aws_s3_bucket_versioning.this[0]
  id = var.bucket_name
}

import {
  to = module.pipeline.module.bucket.aws_s3_bucket_public_access_block.this[0]
  id = var.bucket_name
}

import {
  to = module.pipeline.module.bucket.aws_s3_bucket_ownership_controls.this[0]
  id = var.bucket_name
}

import {
  to = module.pipeline.module.bucket.aws_s3_bucket_server_side_encryption_configuration.this[0]
  id = var.bucket_name
}

import {
  to = module.pipeline.module.bucket.aws_s3_bucket_notification.this[0]
  id = var.bucket_name
}

import {
  for_each = var.also_there.bucket_policy ? [var.bucket_name] : []

  to = module.pipeline.module.bucket.aws_s3_bucket_policy.this[0]
  id = each.value
}

import {
  for_each = var.also_there.lifecycle ? [var.bucket_name] : []

  to = module.pipeline.module.bucket.aws_s3_bucket_lifecycle_configuration.this[0]
  id = each.value
}

import {
  to = module.pipeline.module.alarms.aws_cloudwatch_metric_alarm.this["write_activity"]
  id = var.names.write_activity
}

import {
  to = module.pipeline.module.alarms.aws_cloudwatch_metric_alarm.this["write_throttle"]
  id = var.names.write_throttle
}
