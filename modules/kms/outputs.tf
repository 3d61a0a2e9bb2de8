output "arn" {
  description = "ARN of the key, null where none is made."
  value       = one(aws_kms_key.this[*].arn)
}

# Without a word of any key, so that a key's policy can be made of it.
output "statements" {
  description = "The statements that a key's policy needs for the pipeline."
  value       = jsondecode(data.aws_iam_policy_document.statements.json).Statement
}
