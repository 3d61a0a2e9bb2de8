# Made before the function: a group that Lambda makes itself has no retention and outlives destroy.
resource "aws_cloudwatch_log_group" "this" {
  # checkov:skip=CKV_AWS_158:CloudWatch encrypts logs at no cost; a customer-managed key costs a dollar a month.
  # checkov:skip=CKV_AWS_338:A year of logs leaves the free tier; function.log_retention_days sets it.
  name              = var.log.group_name
  retention_in_days = var.log.retention_days
  kms_key_id        = var.kms.key_arn
  tags              = var.tags
}

# Read also where a version is given, since whether that is null may be known only at apply. It shows
# a new object under an old key, which Lambda does not.
data "aws_s3_object" "package" {
  count = var.function.package_s3 == null ? 0 : 1

  bucket     = var.function.package_s3.bucket
  key        = var.function.package_s3.key
  version_id = var.function.package_s3.version
}

locals {
  # A bucket without versions has none, or "null".
  current = one(data.aws_s3_object.package[*].version_id)
  version = contains(["", "null"], coalesce(local.current, "null")) ? null : local.current
}

resource "aws_lambda_layer_version" "hook" {
  count = var.function.hook == null ? 0 : 1

  layer_name       = "${var.function.name}-hook"
  description      = "What the function calls for each event."
  filename         = var.function.hook.package
  source_code_hash = filebase64sha256(var.function.hook.package)

  # A version never changes: the function takes the new one before the old one goes.
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lambda_function" "this" {
  # checkov:skip=CKV_AWS_50:PassThrough tracing never leaves the free tier; function.tracing switches it.
  # checkov:skip=CKV_AWS_115:Reserved concurrency fails in new accounts, whose whole limit can be 10.
  # checkov:skip=CKV_AWS_116:Failed events go to the on-failure destination, which keeps more than a dead-letter queue.
  # checkov:skip=CKV_AWS_117:The function calls DynamoDB only; function.vpc puts it in a VPC.
  # checkov:skip=CKV_AWS_173:The environment holds no secret; a customer-managed key costs a dollar a month.
  # checkov:skip=CKV_AWS_272:The package's bytes are reproducible and compared in CI.
  function_name                  = var.function.name
  role                           = var.function.role_arn
  filename                       = var.function.package_s3 == null ? var.function.package : null
  s3_bucket                      = one(data.aws_s3_object.package[*].bucket)
  s3_key                         = one(data.aws_s3_object.package[*].key)
  s3_object_version              = local.version
  source_code_hash               = var.function.package_s3 == null ? filebase64sha256(var.function.package) : one(data.aws_s3_object.package[*].etag)
  handler                        = var.function.handler
  runtime                        = var.function.runtime
  architectures                  = [var.function.architecture]
  memory_size                    = var.function.memory_mb
  timeout                        = var.function.timeout_seconds
  reserved_concurrent_executions = var.function.reserved_concurrency
  layers                         = concat(var.function.layers, aws_lambda_layer_version.hook[*].arn)
  tags                           = var.tags

  environment {
    variables = var.function.environment
  }

  logging_config {
    log_group             = aws_cloudwatch_log_group.this.name
    log_format            = "JSON"
    application_log_level = var.log.level
    system_log_level      = "INFO"
  }

  tracing_config {
    mode = var.function.tracing
  }

  dynamic "vpc_config" {
    for_each = var.function.vpc == null ? [] : [var.function.vpc]

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }
}

resource "aws_lambda_function_event_invoke_config" "this" {
  function_name                = aws_lambda_function.this.function_name
  maximum_retry_attempts       = var.delivery.max_retries
  maximum_event_age_in_seconds = var.delivery.max_event_age_seconds

  destination_config {
    on_failure {
      destination = var.delivery.failure_queue_arn
    }
  }
}

# Each source keeps its door while events take another way: see the queues' policies.
resource "aws_lambda_permission" "bucket" {
  count = var.delivery.bucket_arn == null ? 0 : 1

  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.this.function_name
  principal      = "s3.amazonaws.com"
  source_arn     = var.delivery.bucket_arn
  source_account = var.delivery.account_id
}

# Without an account: the rule's ARN holds it.
resource "aws_lambda_permission" "rule" {
  count = var.delivery.rule_arn == null ? 0 : 1

  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this.function_name
  principal     = "events.amazonaws.com"
  source_arn    = var.delivery.rule_arn
}

resource "aws_lambda_event_source_mapping" "buffer" {
  count = var.buffer == null ? 0 : 1

  function_name                      = aws_lambda_function.this.arn
  event_source_arn                   = var.buffer.arn
  enabled                            = var.buffer.enabled
  batch_size                         = var.buffer.batch_size
  maximum_batching_window_in_seconds = var.buffer.window_seconds
  # Only what did not make it comes again, not its whole batch.
  function_response_types = ["ReportBatchItemFailures"]
  tags                    = var.tags

  dynamic "scaling_config" {
    for_each = var.buffer.max_concurrency == null ? [] : [var.buffer.max_concurrency]

    content {
      maximum_concurrency = scaling_config.value
    }
  }
}
