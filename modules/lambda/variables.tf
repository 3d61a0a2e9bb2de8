variable "function" {
  description = "The function: package path, runtime settings, memory in MB, timeout in seconds, and its environment."
  type = object({
    name     = string
    role_arn = string
    package  = string
    package_s3 = object({
      bucket  = string
      key     = string
      version = string
    })
    handler              = string
    runtime              = string
    architecture         = string
    memory_mb            = number
    timeout_seconds      = number
    reserved_concurrency = number
    environment          = map(string)
    layers               = list(string)
    tracing              = string
    hook = object({
      package = string
    })
    vpc = object({
      subnet_ids         = list(string)
      security_group_ids = list(string)
    })
  })
  nullable = false
}

variable "log" {
  description = "Log group name, the lowest level that is kept, and retention in days."
  type = object({
    group_name     = string
    level          = string
    retention_days = number
  })
  nullable = false
}

variable "delivery" {
  description = "Who invokes the function (bucket and rule, null where they never do), and when and where a failed event ends: retries, seconds, queue."
  type = object({
    max_retries           = number
    max_event_age_seconds = number
    failure_queue_arn     = string
    bucket_arn            = string
    rule_arn              = string
    account_id            = string
  })
  nullable = false
}

variable "buffer" {
  description = "Queue that the function reads in batches: ARN, whether it is read just now, messages and seconds that make a batch, and invokes at a time."
  type = object({
    arn             = string
    enabled         = bool
    batch_size      = number
    window_seconds  = number
    max_concurrency = number
  })
  default = null
}

variable "kms" {
  description = "Whether a customer-managed key encrypts the logs, and its ARN."
  type = object({
    enabled = bool
    key_arn = string
  })
  nullable = false
}

variable "tags" {
  description = "Tags for the function and its log group."
  type        = map(string)
  nullable    = false
}
