# Whoever uploads to the bucket finds it safe and its events delivered.
output "name" {
  description = "Name of the bucket, once uploads to it are delivered."
  value       = local.name
  depends_on  = [aws_s3_bucket_notification.this]
}

output "arn" {
  description = "ARN of the bucket, once uploads to it are delivered."
  value       = var.bucket.create ? one(aws_s3_bucket.this[*].arn) : var.bucket.arn
  depends_on  = [aws_s3_bucket_notification.this]
}
