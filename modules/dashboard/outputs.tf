output "name" {
  description = "Name of the dashboard, null where there is none."
  value       = one(aws_cloudwatch_dashboard.this[*].dashboard_name)
}
