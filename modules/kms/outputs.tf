output "arn" {
  description = "ARN of the key, null where none is made."
  value       = one(aws_kms_key.this[*].arn)
}

output "arn_for_services" {
  description = "The same, once its policy lets services use it."
  value       = one(aws_kms_key.this[*].arn)
  depends_on  = [aws_kms_key_policy.this]
}

# They name no key, so that a key's policy can be made of it.
output "statements" {
  description = "The statements that a key's policy needs for the pipeline."
  value       = jsondecode(data.aws_iam_policy_document.statements.json).Statement
}
