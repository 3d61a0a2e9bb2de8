# Whoever uploads to the bucket finds it safe and its events delivered.
output "name" {
  description = "Name of the bucket, once uploads to it are delivered."
  value       = local.name
  depends_on = [
    aws_s3_bucket_lifecycle_configuration.this,
    aws_s3_bucket_logging.this,
    aws_s3_bucket_notification.this,
    aws_s3_bucket_ownership_controls.this,
    aws_s3_bucket_server_side_encryption_configuration.this,
  ]
}

output "arn" {
  description = "ARN of the bucket, once uploads to it are delivered."
  value       = var.bucket.create ? one(aws_s3_bucket.this[*].arn) : var.bucket.arn
  depends_on = [
    aws_s3_bucket_lifecycle_configuration.this,
    aws_s3_bucket_logging.this,
    aws_s3_bucket_notification.this,
    aws_s3_bucket_ownership_controls.this,
    aws_s3_bucket_server_side_encryption_configuration.this,
  ]
}
