output "name" {
  description = "Name of the failure queue."
  value       = aws_sqs_queue.failures.name
}

output "arn" {
  description = "ARN of the failure queue."
  value       = aws_sqs_queue.failures.arn
}

output "url" {
  description = "URL of the failure queue."
  value       = aws_sqs_queue.failures.url
}
