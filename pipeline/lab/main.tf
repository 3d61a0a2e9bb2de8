# Made by `python -m pipeline`: the module as it is, called like anybody would call it.
module "pipeline" {
  source = "../.."

  # The last step of the demo deletes what it uploaded.
  bucket = { force_destroy = true }
}

# Stands for whoever gets the alarms: e-mail is something that the emulator only logs. Not one of
# topic.subscriptions, for which the bucket would wait: the provider takes 25 s to make a queue.
resource "aws_sns_topic_subscription" "lab" {
  topic_arn = module.pipeline.topic_arn
  protocol  = "sqs"
  endpoint  = aws_sqs_queue.subscriber.arn
}

resource "aws_sqs_queue" "subscriber" {
  name   = "lab-subscriber"
  policy = data.aws_iam_policy_document.subscriber.json
}

data "aws_caller_identity" "current" {}

data "aws_iam_policy_document" "subscriber" {
  statement {
    sid       = "TopicsOfThisAccount"
    actions   = ["sqs:SendMessage"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["sns.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

output "pipeline" {
  value = module.pipeline
}

output "subscriber_queue_url" {
  value = aws_sqs_queue.subscriber.url
}
