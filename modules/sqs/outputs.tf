output "failures_name" {
  description = "Name of the failure queue."
  value       = aws_sqs_queue.failures.name
}

output "failures_arn" {
  description = "ARN of the failure queue."
  value       = aws_sqs_queue.failures.arn
}

output "failures_url" {
  description = "URL of the failure queue."
  value       = aws_sqs_queue.failures.url
}

output "buffer_name" {
  description = "Name of the buffer, null where there is none."
  value       = one(aws_sqs_queue.buffer[*].name)
}

output "buffer_arn" {
  description = "ARN of the buffer, null where there is none."
  value       = one(aws_sqs_queue.buffer[*].arn)
}

output "buffer_url" {
  description = "URL of the buffer, null where there is none."
  value       = one(aws_sqs_queue.buffer[*].url)
}
