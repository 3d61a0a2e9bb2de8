provider "aws" {}

# Bursts wait in a queue, events come by EventBridge, one key of this account encrypts what is stored.
module "pipeline" {
  source = "../../"

  name_prefix = "vault-"

  delivery = {
    via = "eventbridge"
    buffer = {
      batch_size      = 50
      max_concurrency = 5
    }
  }

  encryption = { mode = "create" }
  dashboard  = { create = true }
}

output "pipeline" {
  description = "Everything that the module tells about the pipeline."
  value       = module.pipeline
}
