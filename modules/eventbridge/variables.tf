variable "rule" {
  description = "The rule: whether there is one, its name, and the buckets whose events it takes."
  type = object({
    create  = bool
    name    = string
    buckets = list(string)
  })
  nullable = false
}

variable "senders" {
  description = "Ids of the other accounts that may send events to this account's default event bus."
  type        = list(string)
  nullable    = false
}

variable "filters" {
  description = "Which events the rule takes: S3 event types, key prefix and key suffix, both decoded."
  type = list(object({
    prefix = string
    suffix = string
    events = list(string)
  }))
  nullable = false
}

variable "target_arn" {
  description = "ARN of the function or queue that gets the events; the function's is derived rather than read from it."
  type        = string
  nullable    = false
}

variable "failure_queue_arn" {
  description = "ARN of the queue that takes events which can't be handed over."
  type        = string
  nullable    = false
}

variable "tags" {
  description = "Tags for the rule."
  type        = map(string)
  nullable    = false
}
