provider "aws" {}

module "pipeline" {
  source = "../../"

  alarm_emails = keys(var.subscriptions)

  bucket = { name = var.bucket_name }
  function = {
    name               = var.names.function
    role_name          = var.names.role
    role_path          = var.role_path
    log_retention_days = var.log_retention_days
  }
  table = merge(var.table, { name = var.names.table })
  topic = { name = var.names.topic }
  alarms = {
    write_activity = { name = var.names.write_activity }
    write_throttle = { name = var.names.write_throttle }
  }
}

# The full-access policies go last of all, when everything works with the module's own policy.
resource "aws_iam_role_policy_attachments_exclusive" "lab" {
  role_name   = var.names.role
  policy_arns = []

  depends_on = [module.pipeline]
}

output "pipeline" {
  description = "Everything that the module tells about the pipeline."
  value       = module.pipeline
}
