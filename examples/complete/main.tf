provider "aws" {}

# Whoever reads alarms by machine: the module subscribes the queue, the queue's owner lets the topic in.
resource "aws_sqs_queue" "on_call" {
  name                    = "acme-on-call"
  sqs_managed_sse_enabled = true
}

resource "aws_sqs_queue_policy" "on_call" {
  queue_url = aws_sqs_queue.on_call.url
  policy    = data.aws_iam_policy_document.on_call.json
}

data "aws_iam_policy_document" "on_call" {
  statement {
    sid       = "AlarmsOfThePipeline"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.on_call.arn]

    principals {
      type        = "Service"
      identifiers = ["sns.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [module.pipeline.topic_arn]
    }
  }
}

module "pipeline" {
  source = "../../"

  name_prefix  = "acme-"
  tags         = { Environment = "Production", Team = "data" }
  alarm_emails = ["ops@example.com"]

  bucket = {
    name                 = local.bucket_name
    force_destroy        = true
    abort_multipart_days = 3
    noncurrent_days      = 7

    # For others: a rule of theirs, a queue, readers, and a rule for what they keep here.
    eventbridge     = true
    notifications   = [{ arn = aws_sqs_queue.previews.arn, prefix = "images/" }]
    policy_json     = data.aws_iam_policy_document.readers.json
    lifecycle_rules = [{ id = "old-images", prefix = "images/", transitions = [{ days = 30, storage_class = "STANDARD_IA" }] }]
  }

  delivery = {
    filters = [
      { prefix = "invoices/", suffix = ".pdf" },
      { prefix = "scans/", suffix = "", events = ["s3:ObjectCreated:Put", "s3:ObjectRemoved:*"] },
    ]
    max_event_age_seconds = 7200
  }

  function = {
    memory_mb          = 512
    timeout_seconds    = 60
    log_level          = "DEBUG"
    log_retention_days = 30
    tracing            = "Active"
    environment        = { STAGE = "production" }
    role_path          = "/pipelines/"
  }

  table = {
    write_units            = 10
    ttl_hours              = 72
    point_in_time_recovery = true
    object_index           = true
  }

  topic = {
    subscriptions = {
      on_call = { protocol = "sqs", endpoint = aws_sqs_queue.on_call.arn, raw = true }
    }
  }

  alarms = {
    write_throttle = { threshold = 10, evaluation_periods = 3 }
    duration       = { notify_ok = true }
    silence        = { enabled = true }
  }
}

output "pipeline" {
  description = "Everything that the module tells about the pipeline."
  value       = module.pipeline
}
