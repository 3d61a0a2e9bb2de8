output "role_arn" {
  description = "ARN of the jobs' role, once it may do its work, null where there is none."
  value       = one(aws_iam_role.this[*].arn)
  depends_on  = [aws_iam_role_policy.jobs]
}
