provider "aws" {}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

# Named here, not by the module: the role's policy says the bucket's name, and whatever the module tells
# of its bucket exists only after the role.
locals {
  bucket_name = "checksums-${data.aws_caller_identity.current.account_id}"
}

module "pipeline" {
  source = "../../"

  name_prefix = "checksums-"
  bucket      = { name = local.bucket_name }

  function = {
    package         = "${path.module}/checksums.zip"
    handler         = "checksums.handler"
    timeout_seconds = 120
    environment     = { ALGORITHM = "sha256" }
    policy_json     = data.aws_iam_policy_document.handler.json
  }
}

# What the handler needs beyond the module's own, which may write to table and log.
data "aws_iam_policy_document" "handler" {
  statement {
    sid       = "ReadUploads"
    actions   = ["s3:GetObject", "s3:GetObjectVersion"]
    resources = ["arn:${data.aws_partition.current.partition}:s3:::${local.bucket_name}/*"]
  }
}

output "pipeline" {
  description = "Everything that the module tells about the pipeline."
  value       = module.pipeline
}
