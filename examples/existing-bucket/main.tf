provider "aws" {}

variable "bucket_name" {
  description = "Name of the bucket, in this account and region, whose owner has switched EventBridge on."
  type        = string
  nullable    = false
}

# Nothing of the bucket is made or changed: a rule of our own listens to what S3 tells EventBridge.
module "pipeline" {
  source = "../../"

  name_prefix = "media-"

  bucket = {
    create = false
    name   = var.bucket_name
  }

  delivery = {
    via     = "eventbridge"
    filters = [{ prefix = "uploads/", suffix = ".jpg" }]
  }

  # Who owns the bucket may switch EventBridge off: a day without any upload is told.
  alarms = { silence = { enabled = true } }
}

output "pipeline" {
  description = "Everything that the module tells about the pipeline."
  value       = module.pipeline
}
