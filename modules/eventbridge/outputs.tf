# Known at plan, for whoever has to wait until the rule has its target.
output "created" {
  description = "Whether there is a rule, once it has its target."
  value       = var.rule.create
  depends_on  = [aws_cloudwatch_event_target.this]
}
