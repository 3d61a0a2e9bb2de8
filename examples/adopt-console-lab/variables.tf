variable "bucket_name" {
  description = "Name of the lab's bucket, event-driven-lab-<name>."
  type        = string
  nullable    = false
}

variable "subscriptions" {
  description = "The topic's e-mail subscriptions: address, and its subscription's ARN, or null while it is pending."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([for arn in values(var.subscriptions) : arn == null ? true : can(regex("^arn:[^:]+:sns:[^:]+:[0-9]{12}:[^:]+:[0-9a-f-]+$", arn))])
    error_message = format("subscriptions holds %s, which is no subscription's ARN; write null for one that is pending.", join(", ", [
      for arn in values(var.subscriptions) : jsonencode(arn)
      if arn != null && !can(regex("^arn:[^:]+:sns:[^:]+:[0-9]{12}:[^:]+:[0-9a-f-]+$", arn))
    ]))
  }
}

variable "permission_sid" {
  description = "Id of the statement that lets the bucket invoke the function, if that names the bucket's ARN and the account; null makes one beside it."
  type        = string
  default     = null
}

variable "role_path" {
  description = "Path of the role: /service-role/ if the Lambda console made it."
  type        = string
  default     = "/"
  nullable    = false
}

variable "table" {
  description = "Billing mode of the table from now on, and its capacity in units a second."
  type = object({
    billing_mode = optional(string, "PROVISIONED")
    write_units  = optional(number, 5)
    read_units   = optional(number, 5)
  })
  default  = {}
  nullable = false
}

variable "log_retention_days" {
  description = "After how many days log lines go, those from before too; 0 keeps them for ever, as Lambda's own log group does."
  type        = number
  default     = 0
  nullable    = false
}

variable "names" {
  description = "What the lab's parts are called, where not as the lab calls them."
  type = object({
    topic          = optional(string, "event-driven-alerts")
    table          = optional(string, "S3ObjectEvents")
    role           = optional(string, "Lambda-S3-DDB-Role")
    function       = optional(string, "S3ToDynamoProcessor")
    write_activity = optional(string, "DynamoDBWriteActivityAlert")
    write_throttle = optional(string, "DynamoDBWriteThrottleAlert")
  })
  default  = {}
  nullable = false
}

variable "also_there" {
  description = "What else was made by hand, so that the plan shows what it changes there, instead of writing over it."
  type = object({
    bucket_policy = optional(bool, false)
    lifecycle     = optional(bool, false)
    invoke_config = optional(bool, false)
  })
  default  = {}
  nullable = false
}
