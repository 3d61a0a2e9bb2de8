variable "queue" {
  description = "Failure queue: name, ARN, and how many seconds a received message stays hidden."
  type = object({
    name                       = string
    arn                        = string
    visibility_timeout_seconds = number
  })
  nullable = false
}

variable "tags" {
  description = "Tags for the queue."
  type        = map(string)
  nullable    = false
}
