# What the topic's owner has, in a state of their own. Here to try the example in an empty account.
provider "aws" {}

data "aws_caller_identity" "current" {}

resource "aws_sns_topic" "on_call" {
  # checkov:skip=CKV_AWS_26:CloudWatch can't publish through the AWS-managed key, and a customer-managed key costs a dollar a month.
  name = "on-call"
}

resource "aws_sns_topic_policy" "on_call" {
  arn    = aws_sns_topic.on_call.arn
  policy = data.aws_iam_policy_document.topic.json
}

data "aws_iam_policy_document" "topic" {
  statement {
    sid       = "AlarmsOfThisAccount"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.on_call.arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

# Whoever is on call reads here.
resource "aws_sqs_queue" "on_call" {
  name                    = "on-call"
  sqs_managed_sse_enabled = true
}

resource "aws_sqs_queue_policy" "on_call" {
  queue_url = aws_sqs_queue.on_call.url
  policy    = data.aws_iam_policy_document.queue.json
}

data "aws_iam_policy_document" "queue" {
  statement {
    sid       = "MessagesOfTheTopic"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.on_call.arn]

    principals {
      type        = "Service"
      identifiers = ["sns.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_sns_topic.on_call.arn]
    }
  }
}

resource "aws_sns_topic_subscription" "on_call" {
  topic_arn            = aws_sns_topic.on_call.arn
  protocol             = "sqs"
  endpoint             = aws_sqs_queue.on_call.arn
  raw_message_delivery = true

  depends_on = [aws_sqs_queue_policy.on_call]
}

output "topic_arn" {
  description = "ARN of the topic, the example's topic_arn."
  value       = aws_sns_topic.on_call.arn
}

output "queue_url" {
  description = "URL of the queue that gets what the topic tells."
  value       = aws_sqs_queue.on_call.url
}
