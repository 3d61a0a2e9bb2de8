output "name" {
  description = "Name of the function's role."
  value       = aws_iam_role.this.name
  depends_on  = [aws_iam_role_policy.pipeline]
}

# Whatever uses the role is made after its policies, and is gone before them.
output "arn" {
  description = "ARN of the function's role, once it may do its work."
  value       = aws_iam_role.this.arn
  depends_on  = [aws_iam_role_policy.pipeline]
}
