variable "failures" {
  description = "Failure queue: name, derived ARN, and how many seconds a received message stays hidden."
  type = object({
    name                       = string
    arn                        = string
    visibility_timeout_seconds = number
  })
  nullable = false
}

variable "buffer" {
  description = "Queue between source and function: name, derived ARN, retention and visibility timeout in seconds, receives before a message has failed."
  type = object({
    create                     = bool
    name                       = string
    arn                        = string
    retention_seconds          = number
    visibility_timeout_seconds = number
    max_receive_count          = number
  })
  nullable = false
}

variable "sources" {
  description = "Who may send: the bucket by notification and the rule, each null where it never does, and the bucket's account."
  type = object({
    bucket_arn = string
    rule_arn   = string
    account_id = string
  })
  nullable = false
}

variable "kms" {
  description = "Whether a customer-managed key encrypts the queues, and its ARN."
  type = object({
    enabled = bool
    key_arn = string
  })
  nullable = false
}

variable "tags" {
  description = "Tags for the queues."
  type        = map(string)
  nullable    = false
}
