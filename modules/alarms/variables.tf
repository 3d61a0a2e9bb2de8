variable "alarms" {
  description = "The alarms by key: name, threshold in its metric's unit, period in seconds and whether it tells when it is over."
  type = map(object({
    name               = string
    enabled            = bool
    threshold          = number
    period_seconds     = number
    evaluation_periods = number
    notify_ok          = bool
  }))
  nullable = false
}

variable "health" {
  description = "The alarm over the others: its name, whether there is one, and whether it tells when it is over."
  type = object({
    name      = string
    enabled   = bool
    notify_ok = bool
  })
  nullable = false
}

variable "prefix" {
  description = "What stands before each default name."
  type        = string
  nullable    = false
}

variable "actions" {
  description = "ARNs that each alarm notifies."
  type        = list(string)
  nullable    = false
}

variable "table_name" {
  description = "Table whose writes are watched."
  type        = string
  nullable    = false
}

variable "write_units" {
  description = "The table's write capacity in units a second."
  type        = number
  nullable    = false
}

variable "on_demand" {
  description = "Whether the table takes what comes, whatever its write capacity."
  type        = bool
  nullable    = false
}

variable "function_name" {
  description = "Function that is watched."
  type        = string
  nullable    = false
}

variable "timeout_seconds" {
  description = "The function's timeout in seconds."
  type        = number
  nullable    = false
}

variable "max_event_age_seconds" {
  description = "The age in seconds at which Lambda gives an event up."
  type        = number
  nullable    = false
}

variable "delivery" {
  description = "How events come: whether they reach the function directly, whether there is a buffer, a rule, one for all events, and their names."
  type = object({
    direct                = bool
    buffer                = bool
    buffer_name           = string
    buffer_window_seconds = number
    rule                  = bool
    rule_takes_all        = bool
    rule_name             = string
  })
  nullable = false
}

variable "failure_queue_name" {
  description = "Queue whose depth is watched."
  type        = string
  nullable    = false
}

variable "tags" {
  description = "Tags for each alarm."
  type        = map(string)
  nullable    = false
}
