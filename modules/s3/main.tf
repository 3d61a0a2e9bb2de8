resource "aws_s3_bucket" "this" {
  # checkov:skip=CKV2_AWS_62:The notification below is this bucket's; the scan does not follow the local that names it.
  # checkov:skip=CKV_AWS_18:Access logs cost storage; bucket.access_log switches them on.
  # checkov:skip=CKV_AWS_144:Replication to another region doubles the cost.
  # checkov:skip=CKV_AWS_145:SSE-S3 encrypts at no cost; a customer-managed key costs a dollar a month.
  count = var.bucket.create ? 1 : 0

  bucket        = terraform_data.kept_name[0].input
  force_destroy = var.bucket.force_destroy
  tags          = var.tags

  # A bucket that can't be destroyed, because it is not empty, keeps the table with its records, the key
  # that opens its objects, and the key its policy, which lets readers in. Not the queues, nor what needs
  # them: the provider takes half a minute for each queue, and the bucket would wait so long at first.
  depends_on = [var.kms, var.table_name]
}

# The bucket's name is the one it was made with, also where a plan does not know the name yet: another
# name would replace it, which S3 refuses half-way while objects are in it. `-replace` takes the new one.
resource "terraform_data" "kept_name" {
  count = var.bucket.create ? 1 : 0

  input = var.bucket.name

  lifecycle {
    ignore_changes = [input]

    postcondition {
      condition = self.input == var.bucket.name
      error_message = join(" ", [
        "The bucket \"${self.input}\" would be deleted and an empty one made as \"${var.bucket.name}\",",
        "and S3 deletes no bucket that holds objects.",
        "To keep it, write bucket.name = \"${self.input}\".",
        "To give it up, copy its objects, empty it with all versions, then run",
        "terraform apply -replace='….module.bucket.terraform_data.kept_name[0]' (terraform state list shows the whole address).",
      ])
    }
  }
}

locals {
  # An existing bucket is only named: nothing of it is read or changed but its notifications.
  name = var.bucket.create ? one(aws_s3_bucket.this[*].id) : var.bucket.name
}

resource "aws_s3_bucket_versioning" "this" {
  count = var.bucket.create ? 1 : 0

  bucket = aws_s3_bucket.this[0].id

  versioning_configuration {
    # A bucket that was ever versioned can only be suspended, and a new one takes that word too.
    status = var.bucket.versioning ? "Enabled" : "Suspended"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  count = var.bucket.create ? 1 : 0

  bucket = aws_s3_bucket.this[0].id

  rule {
    id     = "abort-multipart-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = var.bucket.abort_multipart_days
    }
  }

  rule {
    id     = "expire-old-versions"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.bucket.noncurrent_days
    }

    expiration {
      expired_object_delete_marker = true
    }
  }

  dynamic "rule" {
    for_each = var.bucket.lifecycle_rules

    content {
      id     = rule.value.id
      status = "Enabled"

      filter {
        prefix = rule.value.prefix == "" ? null : rule.value.prefix
      }

      dynamic "expiration" {
        for_each = rule.value.expiration_days == null ? [] : [rule.value.expiration_days]

        content {
          days = expiration.value
        }
      }

      dynamic "noncurrent_version_expiration" {
        for_each = rule.value.noncurrent_days == null ? [] : [rule.value.noncurrent_days]

        content {
          noncurrent_days = noncurrent_version_expiration.value
        }
      }

      dynamic "transition" {
        for_each = rule.value.transitions

        content {
          days          = transition.value.days
          storage_class = transition.value.storage_class
        }
      }
    }
  }

  # S3 refuses two configuration changes of one bucket at a time.
  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_logging" "this" {
  count = var.bucket.create && var.bucket.access_log != null ? 1 : 0

  bucket        = aws_s3_bucket.this[0].id
  target_bucket = var.bucket.access_log.bucket
  target_prefix = var.bucket.access_log.prefix

  lifecycle {
    precondition {
      condition = var.bucket.access_log.bucket != var.bucket.name
      error_message = join(" ", [
        "bucket.access_log.bucket is \"${var.bucket.access_log.bucket}\", the bucket itself:",
        "each log file would be logged in turn. Name another bucket.",
      ])
    }
  }
}

# One configuration a bucket, replaced whole by each change, so that delivery changes in one call.
resource "aws_s3_bucket_notification" "this" {
  count = var.bucket.create || var.bucket.take_over_notifications ? 1 : 0

  bucket      = local.name
  eventbridge = var.delivery.eventbridge

  dynamic "lambda_function" {
    for_each = [for each in local.notifications : each if each.service == "lambda"]

    content {
      id                  = lambda_function.value.id
      lambda_function_arn = lambda_function.value.arn
      events              = lambda_function.value.events
      filter_prefix       = lambda_function.value.prefix
      filter_suffix       = lambda_function.value.suffix
    }
  }

  dynamic "queue" {
    for_each = [for each in local.notifications : each if each.service == "sqs"]

    content {
      id            = queue.value.id
      queue_arn     = queue.value.arn
      events        = queue.value.events
      filter_prefix = queue.value.prefix
      filter_suffix = queue.value.suffix
    }
  }

  dynamic "topic" {
    for_each = [for each in local.notifications : each if each.service == "sns"]

    content {
      id            = topic.value.id
      topic_arn     = topic.value.arn
      events        = topic.value.events
      filter_prefix = topic.value.prefix
      filter_suffix = topic.value.suffix
    }
  }

  depends_on = [aws_s3_bucket_versioning.this, aws_s3_bucket_policy.this]
}

locals {
  # One configuration holds the pipeline's own filters and the notifications of others. An ARN of the
  # pipeline's own may be known only after apply, and a plan has to know which kind it is.
  own_service = var.delivery.notify == "buffer" ? "sqs" : "lambda"
  own_arn     = var.delivery.notify == "buffer" ? var.delivery.buffer_arn : var.delivery.function_arn
  filters = concat(
    [
      for number, filter in var.filters : merge(filter, { id = "filter-${number}", service = local.own_service, arn = local.own_arn })
      if var.delivery.notify != "nobody"
    ],
    [for number, other in var.bucket.notifications : merge(other, { id = "other-${number}", service = split(":", other.arn)[2] })],
  )

  # S3 wants values encoded: a space as "+", other special characters by percent signs, and a few marks
  # and the slash as they are.
  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
  notifications = [
    for filter in local.filters : merge(filter, {
      for part in ["prefix", "suffix"] : part => filter[part] == "" ? null : replace(replace(replace(replace(replace(
        replace(urlencode(filter[part]), "%2F", "/"), "%21", "!"), "%27", "'"), "%28", "("), "%29", ")"), "%2A", "*"
      )
    })
  ]
}
