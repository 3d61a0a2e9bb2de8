provider "aws" {}

module "pipeline" {
  source = "../../"

  name_prefix = "enrich-"

  function = {
    hook = {
      package      = "${path.module}/enrich.zip"
      handler      = "enrich.on_event"
      read_objects = true
    }
  }
}

output "pipeline" {
  description = "Everything that the module tells about the pipeline."
  value       = module.pipeline
}
