provider "aws" {}

variable "team" {
  description = "Team that the pipeline belongs to; it stands before every name."
  type        = string
  default     = "orders"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,9}$", var.team))
    error_message = "team is \"${var.team}\"; write 2 to 10 lower-case letters and digits, since a bucket's name begins with it."
  }
}

variable "longest_wait_minutes" {
  description = "How long a file may wait, in minutes, before somebody is told."
  type        = number
  default     = 15
  nullable    = false
}

module "pipeline" {
  source = "../../"

  name_prefix = "${var.team}-"

  delivery = {
    buffer  = {}
    filters = [{ prefix = "inbox/", suffix = ".json" }]
  }

  alarms = { backlog_age = { threshold = 60 * var.longest_wait_minutes } }
}

output "pipeline" {
  description = "Everything that the module tells about the pipeline."
  value       = module.pipeline
}
