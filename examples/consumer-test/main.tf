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

variable "most_waiting" {
  description = "How many files may wait before somebody is told."
  type        = number
  default     = 50
  nullable    = false
}

module "pipeline" {
  source = "../../"

  name_prefix = "${var.team}-"

  delivery = {
    buffer  = {}
    filters = [{ prefix = "inbox/", suffix = ".json" }]
  }

  alarms = { backlog = { threshold = var.most_waiting } }
}

output "pipeline" {
  description = "Everything that the module tells about the pipeline."
  value       = module.pipeline
}
