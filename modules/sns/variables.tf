variable "topic" {
  description = "Topic that alarms publish to (or an existing one's ARN), and who gets its messages."
  type = object({
    create = bool
    name   = string
    arn    = string
    subscriptions = map(object({
      protocol      = string
      endpoint      = string
      raw           = bool
      filter_policy = string
    }))
  })
  nullable = false
}

variable "alarm_emails" {
  description = "E-mail addresses that get each alarm once they have confirmed."
  type        = list(string)
  nullable    = false
}

variable "alarm_arns" {
  description = "ARN pattern of the CloudWatch alarms that may publish."
  type        = string
  nullable    = false
}

variable "account_id" {
  description = "Account that the publishing alarms live in."
  type        = string
  nullable    = false
}

variable "kms" {
  description = "Whether a customer-managed key encrypts the topic, and its ARN."
  type = object({
    enabled = bool
    key_arn = string
  })
  nullable = false
}

variable "tags" {
  description = "Tags for the topic."
  type        = map(string)
  nullable    = false
}
