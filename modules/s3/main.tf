resource "aws_s3_bucket" "this" {
  # checkov:skip=CKV2_AWS_62:The notification below is this bucket's; the scan does not follow the local that names it.
  # checkov:skip=CKV_AWS_18:Access logs cost storage; bucket.access_log switches them on.
  # checkov:skip=CKV_AWS_144:Replication to another region doubles the cost.
  # checkov:skip=CKV_AWS_145:SSE-S3 encrypts at no cost; a customer-managed key costs a dollar a month.
  count = var.bucket.create ? 1 : 0

  bucket        = terraform_data.kept_name[0].input
  force_destroy = var.bucket.force_destroy
  tags          = var.tags

  # A bucket that can't be destroyed, because it is not empty, keeps the key that opens its objects.
  depends_on = [var.kms]
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
    for_each = var.delivery.notify == "function" ? var.filters : []

    content {
      id                  = "filter-${lambda_function.key}"
      lambda_function_arn = var.delivery.function_arn
      events              = lambda_function.value.events
      filter_prefix       = local.encoded[lambda_function.key].prefix
      filter_suffix       = local.encoded[lambda_function.key].suffix
    }
  }

  dynamic "queue" {
    for_each = var.delivery.notify == "buffer" ? var.filters : []

    content {
      id            = "filter-${queue.key}"
      queue_arn     = var.delivery.buffer_arn
      events        = queue.value.events
      filter_prefix = local.encoded[queue.key].prefix
      filter_suffix = local.encoded[queue.key].suffix
    }
  }

  depends_on = [aws_s3_bucket_versioning.this, aws_s3_bucket_policy.this]
}

# S3 wants values encoded: a space as "+", other special characters by percent signs, and a few marks
# and the slash as they are.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
locals {
  encoded = [for filter in var.filters : {
    for part in ["prefix", "suffix"] : part => filter[part] == "" ? null : replace(replace(replace(replace(replace(
      replace(urlencode(filter[part]), "%2F", "/"), "%21", "!"), "%27", "'"), "%28", "("), "%29", ")"), "%2A", "*"
    )
  }]
}
