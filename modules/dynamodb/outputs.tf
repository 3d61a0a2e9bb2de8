output "name" {
  description = "Name of the event table."
  value       = aws_dynamodb_table.this.name
}

output "arn" {
  description = "ARN of the event table."
  value       = aws_dynamodb_table.this.arn
}

output "stream_arn" {
  description = "ARN of the event table's current stream."
  value       = aws_dynamodb_table.this.stream_arn
}
