provider "aws" {}

# The prefix stands before every name, so that nothing of the one is the other's.
module "orders" {
  source = "../../"

  name_prefix = "orders-"
  tags        = { Team = "orders" }
}

module "invoices" {
  source = "../../"

  name_prefix = "invoices-"
  tags        = { Team = "invoices" }
  delivery    = { filters = [{ prefix = "", suffix = ".pdf" }] }
  table       = { ttl_hours = 24 * 90 }
}

output "orders" {
  description = "Everything that the module tells about the pipeline of orders."
  value       = module.orders
}

output "invoices" {
  description = "Everything that the module tells about the pipeline of invoices."
  value       = module.invoices
}
