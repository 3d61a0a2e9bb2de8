variable "bucket" {
  description = "Bucket: name, ARN, safeguards, after how many days leftovers go, and what others need of it."
  type = object({
    create               = bool
    name                 = string
    arn                  = string
    force_destroy        = bool
    versioning           = bool
    abort_multipart_days = number
    noncurrent_days      = number
    access_log = object({
      bucket = string
      prefix = string
    })
    policy_json = string
    lifecycle_rules = list(object({
      id              = string
      prefix          = string
      expiration_days = number
      noncurrent_days = number
      transitions = list(object({
        days          = number
        storage_class = string
      }))
    }))
    notifications = list(object({
      arn    = string
      prefix = string
      suffix = string
      events = list(string)
    }))
    take_over_notifications = bool
  })
  nullable = false
}

variable "filters" {
  description = "Which events are sent by notification: event types, key prefix and key suffix, both decoded."
  type = list(object({
    prefix = string
    suffix = string
    events = list(string)
  }))
  nullable = false
}

variable "delivery" {
  description = "Whom the bucket notifies (function, buffer or nobody), each of which must admit it already, and whether it sends to EventBridge."
  type = object({
    notify       = string
    eventbridge  = bool
    function_arn = string
    buffer_arn   = string
  })
  nullable = false
}

variable "kms" {
  description = "Whether a customer-managed key encrypts the bucket, and its ARN."
  type = object({
    enabled = bool
    key_arn = string
  })
  nullable = false
}

variable "table_name" {
  description = "Table with the records of the bucket's objects, which goes after it."
  type        = string
  nullable    = false
}

variable "tags" {
  description = "Tags for the bucket."
  type        = map(string)
  nullable    = false
}
