provider "aws" {}

variable "their_account" {
  description = "Id of the other account, whose rule sends its bucket's events here."
  type        = string
  nullable    = false
}

variable "their_bucket" {
  description = "Name of the bucket in the other account, in this region."
  type        = string
  nullable    = false
}

# Our own bucket notifies the function; a rule takes what theirs sends to our event bus.
module "pipeline" {
  source = "../../"

  name_prefix = "shared-"

  delivery = {
    buckets  = [var.their_bucket]
    accounts = [var.their_account]
  }
}

output "pipeline" {
  description = "Everything that the module tells about the pipeline."
  value       = module.pipeline
}
