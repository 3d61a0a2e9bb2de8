variable "bucket" {
  description = "Bucket: name, ARN, safeguards, and after how many days leftovers go."
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
  })
  nullable = false
}

variable "filters" {
  description = "Which events invoke the function: event types, key prefix and key suffix, both decoded."
  type = list(object({
    prefix = string
    suffix = string
    events = list(string)
  }))
  nullable = false
}

variable "function_arn" {
  description = "ARN of the function, which must already admit this bucket."
  type        = string
  nullable    = false
}

variable "tags" {
  description = "Tags for the bucket."
  type        = map(string)
  nullable    = false
}
