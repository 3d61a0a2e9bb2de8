variable "role" {
  description = "The function's role: name, path, permissions boundary, and what a team's own code may do more."
  type = object({
    name                 = string
    path                 = string
    permissions_boundary = string
    policy_json          = string
  })
  nullable = false
}

variable "function_arn" {
  description = "ARN of the function that assumes the role."
  type        = string
  nullable    = false
}

variable "table_arn" {
  description = "ARN of the one table that records are written to."
  type        = string
  nullable    = false
}

variable "log_group_arn" {
  description = "ARN of the one log group that log lines go to."
  type        = string
  nullable    = false
}

variable "failure_queue_arn" {
  description = "ARN of the queue that takes events which kept failing."
  type        = string
  nullable    = false
}

variable "buffer_arn" {
  description = "ARN of the queue that the function reads, null where there is none."
  type        = string
  default     = null
}

variable "read_objects_of" {
  description = "ARNs of the buckets whose objects the function reads or asks about; none where there are none."
  type        = list(string)
  nullable    = false
}

variable "kms" {
  description = "Whether a customer-managed key encrypts what the role uses, its ARN, and the services it is used through, null for objects it never opens."
  type = object({
    enabled     = bool
    key_arn     = string
    via         = list(string)
    via_objects = string
  })
  nullable = false
}

variable "tracing" {
  description = "Whether the function sends traces to X-Ray."
  type        = bool
  nullable    = false
}

variable "vpc" {
  description = "Whether the function runs in a VPC and so needs network interfaces."
  type        = bool
  nullable    = false
}

variable "tags" {
  description = "Tags for the role."
  type        = map(string)
  nullable    = false
}
