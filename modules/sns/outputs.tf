output "arn" {
  description = "ARN of the topic, once alarms may publish to it."
  value       = local.arn
  depends_on  = [aws_sns_topic_policy.this]
}
