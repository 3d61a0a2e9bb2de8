resource "aws_s3_bucket_public_access_block" "this" {
  count = var.bucket.create ? 1 : 0

  bucket                  = aws_s3_bucket.this[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  count = var.bucket.create ? 1 : 0

  bucket = aws_s3_bucket.this[0].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  count = var.bucket.create ? 1 : 0

  bucket = aws_s3_bucket.this[0].id

  rule {
    # One call to KMS for many objects.
    bucket_key_enabled = var.kms.enabled ? true : null

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms.enabled ? "aws:kms" : "AES256"
      kms_master_key_id = var.kms.key_arn
    }
  }
}

data "aws_iam_policy_document" "bucket" {
  source_policy_documents = local.given_policies

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [var.bucket.arn, "${var.bucket.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

locals {
  # The document takes a list of statements only, IAM also one by itself.
  given_policies = var.bucket.policy_json == null ? [] : [
    jsonencode(merge(jsondecode(var.bucket.policy_json), { Statement = flatten([jsondecode(var.bucket.policy_json).Statement]) }))
  ]
}

resource "aws_s3_bucket_policy" "this" {
  count = var.bucket.create ? 1 : 0

  bucket = aws_s3_bucket.this[0].id
  policy = data.aws_iam_policy_document.bucket.json

  lifecycle {
    precondition {
      # In bytes, of which base64 makes four characters of three; without blanks, as it is sent.
      condition     = floor(length(trim(base64encode(jsonencode(jsondecode(data.aws_iam_policy_document.bucket.json))), "=")) * 3 / 4) <= 20480
      error_message = "bucket.policy_json is too long: S3 takes a bucket policy of 20480 bytes with this module's own statement."
    }
  }

  # S3 refuses a policy while it changes the block.
  depends_on = [aws_s3_bucket_public_access_block.this]
}
