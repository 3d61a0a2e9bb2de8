data "aws_iam_policy_document" "trust" {
  count = var.role.create ? 1 : 0

  statement {
    sid     = "S3BatchOperationsAssumes"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["batchoperations.s3.amazonaws.com"]
    }
  }
}

# S3 invokes with this role, so that the function's own policy needs no statement.
data "aws_iam_policy_document" "jobs" {
  count = var.role.create ? 1 : 0

  statement {
    sid       = "InvokeFunction"
    actions   = ["lambda:InvokeFunction"]
    resources = [var.function_arn]
  }

  statement {
    sid       = "ReadManifests"
    actions   = ["s3:GetObject", "s3:GetObjectVersion"]
    resources = ["${var.jobs.bucket_arn}/${var.jobs.inventories ? "" : var.jobs.prefix}*"]
  }

  statement {
    sid       = "WriteManifestsAndReports"
    actions   = ["s3:PutObject"]
    resources = ["${var.jobs.bucket_arn}/${var.jobs.prefix}*"]
  }

  statement {
    sid       = "GenerateManifests"
    actions   = ["s3:PutInventoryConfiguration"]
    resources = [var.source_bucket_arn]
  }
}

resource "aws_iam_role" "this" {
  count = var.role.create ? 1 : 0

  name                 = var.role.name
  path                 = var.role.path
  description          = "What S3 Batch Operations jobs may do: read manifests, invoke the S3 event processor, write reports."
  assume_role_policy   = data.aws_iam_policy_document.trust[0].json
  permissions_boundary = var.role.permissions_boundary
  tags                 = var.tags
}

resource "aws_iam_role_policy" "jobs" {
  count = var.role.create ? 1 : 0

  name   = "jobs"
  role   = aws_iam_role.this[0].name
  policy = data.aws_iam_policy_document.jobs[0].json
}
