variable "create" {
  description = "Whether to make a key."
  type        = bool
  nullable    = false
}

variable "alias" {
  description = "The key's alias without alias/."
  type        = string
  nullable    = false
}

variable "users" {
  description = "What uses the key, by derived ARN, and where; bucket and notifying bucket are null, rule and topic false, where they don't."
  type = object({
    partition            = string
    region               = string
    dns_suffix           = string
    account_id           = string
    bucket_arn           = string
    notifying_bucket_arn = string
    rule                 = bool
    topic                = bool
    log_group_arn        = string
    alarm_arns           = string
  })
  nullable = false
}

variable "tags" {
  description = "Tags for the key."
  type        = map(string)
  nullable    = false
}
