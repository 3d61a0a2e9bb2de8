provider "aws" {}

# A scanner sends thousands of files at a time: they wait in a queue, and are written in batches.
module "pipeline" {
  source = "../../"

  name_prefix = "scans-"

  delivery = {
    buffer = {
      batch_size      = 50
      window_seconds  = 2
      max_concurrency = 5
      retention_days  = 7
    }
  }

  # How many files may wait, for half an hour, before somebody is told.
  alarms = { backlog = { threshold = 1000, evaluation_periods = 30 } }
}

output "pipeline" {
  description = "Everything that the module tells about the pipeline."
  value       = module.pipeline
}
