variable "dashboard" {
  description = "Dashboard: whether to make it, and its name."
  type = object({
    create = bool
    name   = string
  })
  nullable = false
}

variable "region" {
  description = "Region whose metrics and logs are shown."
  type        = string
  nullable    = false
}

variable "bucket_names" {
  description = "Buckets that the heading names."
  type        = list(string)
  nullable    = false
}

variable "delivery" {
  description = "How events come: whether bucket or rule invoke the function themselves, whether there is a buffer and a rule, and their names."
  type = object({
    direct      = bool
    buffer      = bool
    buffer_name = string
    rule        = bool
    rule_name   = string
  })
  nullable = false
}

variable "failure_queue_name" {
  description = "Queue for the events that kept failing."
  type        = string
  nullable    = false
}

variable "function" {
  description = "Function: name and timeout in seconds."
  type = object({
    name            = string
    timeout_seconds = number
  })
  nullable = false
}

variable "log_group_name" {
  description = "The function's log group, which is asked for failures."
  type        = string
  nullable    = false
}

variable "table" {
  description = "Table: name and write capacity in units a second, null where it has none to exceed."
  type = object({
    name        = string
    write_units = number
  })
  nullable = false
}

variable "alarms" {
  description = "The alarms that exist, by key: derived ARN, threshold in its metric's unit and period in seconds."
  type = map(object({
    arn            = string
    threshold      = number
    period_seconds = number
  }))
  nullable = false
}
