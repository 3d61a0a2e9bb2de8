provider "aws" {}

variable "topic_arn" {
  description = "ARN of the topic that gets the alarms, in this account and region."
  type        = string
  nullable    = false
}

# Nothing is made or changed of the topic: alarms publish to it, and it tells whom its owner wants.
module "pipeline" {
  source = "../../"

  name_prefix = "billing-"

  topic = {
    create = false
    arn    = var.topic_arn
  }

  # Whoever is called by an alarm also hears that it is over. One alarm more is for whoever wants to hear of nothing but lost or late records.
  alarms = {
    errors    = { notify_ok = true }
    throttles = { notify_ok = true }
    health    = { enabled = true }
  }
}

output "pipeline" {
  description = "Everything that the module tells about the pipeline."
  value       = module.pipeline
}
