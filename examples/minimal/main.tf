provider "aws" {}

module "pipeline" {
  source = "../../"
}

output "pipeline" {
  description = "Everything that the module tells about the pipeline."
  value       = module.pipeline
}
