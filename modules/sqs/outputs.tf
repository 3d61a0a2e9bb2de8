output "failures_name" {
  description = "Name of the failure queue."
  value       = aws_sqs_queue.failures.name
}

# Derived and so known at plan, but not before the queue is there.
output "failures_arn" {
  description = "ARN of the failure queue, once it is there."
  value       = var.failures.arn
  depends_on  = [aws_sqs_queue.failures]
}

output "failures_url" {
  description = "URL of the failure queue."
  value       = aws_sqs_queue.failures.url
}

output "buffer_arn" {
  description = "ARN of the buffer, once it is there; null where there is none."
  value       = var.buffer.create ? var.buffer.arn : null
  depends_on  = [aws_sqs_queue.buffer]
}

output "buffer_url" {
  description = "URL of the buffer, null where there is none."
  value       = one(aws_sqs_queue.buffer[*].url)
}
