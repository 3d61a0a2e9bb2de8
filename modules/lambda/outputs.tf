output "name" {
  description = "Name of the function, once its sources may invoke it and failures are kept."
  value       = aws_lambda_function.this.function_name
  depends_on = [
    aws_lambda_permission.bucket,
    aws_lambda_permission.rule,
    aws_lambda_function_event_invoke_config.this,
  ]
}

# Events may come only when they are let in and when the ones that fail have somewhere to go.
output "arn" {
  description = "ARN of the function, once its sources may invoke it and failures are kept."
  value       = aws_lambda_function.this.arn
  depends_on = [
    aws_lambda_permission.bucket,
    aws_lambda_permission.rule,
    aws_lambda_function_event_invoke_config.this,
  ]
}

output "log_group_name" {
  description = "Name of the function's log group."
  value       = aws_cloudwatch_log_group.this.name
}
