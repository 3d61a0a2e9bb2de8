provider "aws" {}

variable "integration_url" {
  description = "URL of the service's integration in PagerDuty. Whoever has it can page."
  type        = string
  nullable    = false
  sensitive   = true
}

variable "alarm_emails" {
  description = "E-mail addresses that get every alarm."
  type        = list(string)
  default     = []
  nullable    = false
}

# One alarm pages: the one over all that say that uploads may not become records. The rest is mail.
module "pipeline" {
  source = "../../"

  name_prefix  = "paged-"
  alarm_emails = var.alarm_emails

  alarms = {
    health = { enabled = true }
  }

  topic = {
    subscriptions = {
      pagerduty = {
        protocol      = "https"
        endpoint      = var.integration_url
        filter_policy = jsonencode({ AlarmName = ["paged-pipeline_health"] })
      }
    }
  }
}

output "pipeline" {
  description = "Everything that the module tells about the pipeline."
  value       = module.pipeline
}
