# A function of our own that is told of each new record, with a role and a log of its own.
locals {
  name = "notices-consumer"
}

resource "aws_lambda_event_source_mapping" "consumer" {
  event_source_arn  = module.pipeline.table_stream_arn
  function_name     = aws_lambda_function.consumer.arn
  starting_position = "TRIM_HORIZON"
  batch_size        = 100
  # Shards are read in order: a record that keeps failing would hold up all behind it for a day.
  maximum_retry_attempts         = 5
  bisect_batch_on_function_error = true
  function_response_types        = ["ReportBatchItemFailures"]

  # Neither what DynamoDB deletes when it expires nor what a late replay writes again.
  filter_criteria {
    filter {
      pattern = jsonencode({ eventName = ["INSERT"] })
    }
  }

  destination_config {
    on_failure {
      destination_arn = aws_sqs_queue.given_up.arn
    }
  }

  # Lambda tries the role when the mapping is made.
  depends_on = [aws_iam_role_policy.consumer]
}

resource "aws_lambda_function" "consumer" {
  # checkov:skip=CKV_AWS_50:Tracing leaves the free tier.
  # checkov:skip=CKV_AWS_115:A stream's shards bound how many invokes run at a time.
  # checkov:skip=CKV_AWS_116:The mapping has a destination for failures; a dead-letter queue is for asynchronous invokes.
  # checkov:skip=CKV_AWS_117:It calls nothing at all.
  # checkov:skip=CKV_AWS_272:The package is in the repository, and compared with its source.
  function_name    = local.name
  role             = aws_iam_role.consumer.arn
  filename         = "${path.module}/consumer.zip"
  source_code_hash = filebase64sha256("${path.module}/consumer.zip")
  handler          = "consumer.handler"
  runtime          = "python3.12"
  architectures    = ["arm64"]

  logging_config {
    log_group  = aws_cloudwatch_log_group.consumer.name
    log_format = "JSON"
  }
}

resource "aws_cloudwatch_log_group" "consumer" {
  # checkov:skip=CKV_AWS_158:CloudWatch encrypts logs at no cost; a customer-managed key costs a dollar a month.
  # checkov:skip=CKV_AWS_338:A year of logs leaves the free tier.
  name              = "/aws/lambda/${local.name}"
  retention_in_days = 14
}

# What was given up, as the stream's shard and sequence numbers: look there within the stream's 24 hours.
resource "aws_sqs_queue" "given_up" {
  name                      = "${local.name}-given-up"
  message_retention_seconds = 14 * 24 * 3600
  sqs_managed_sse_enabled   = true
}

resource "aws_iam_role" "consumer" {
  name               = local.name
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

data "aws_iam_policy_document" "trust" {
  statement {
    sid     = "LambdaRunsIt"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy" "consumer" {
  name   = "consumer"
  role   = aws_iam_role.consumer.id
  policy = data.aws_iam_policy_document.consumer.json
}

data "aws_iam_policy_document" "consumer" {
  statement {
    sid = "ReadTheStream"
    actions = [
      "dynamodb:DescribeStream",
      "dynamodb:GetRecords",
      "dynamodb:GetShardIterator",
      "dynamodb:ListStreams",
    ]
    resources = [module.pipeline.table_stream_arn]
  }

  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.consumer.arn}:*"]
  }

  statement {
    sid       = "NameWhatWasGivenUp"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.given_up.arn]
  }
}
