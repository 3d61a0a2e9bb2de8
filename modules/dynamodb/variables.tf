variable "table" {
  description = "Event table: name, capacity in units a second, stream and safeguards."
  type = object({
    name                   = string
    billing_mode           = string
    write_units            = number
    read_units             = number
    stream_view_type       = string
    point_in_time_recovery = bool
    deletion_protection    = bool
    object_index           = bool
  })
  nullable = false
}

variable "kms" {
  description = "Whether a customer-managed key encrypts the table, and its ARN."
  type = object({
    enabled = bool
    key_arn = string
  })
  nullable = false
}

variable "tags" {
  description = "Tags for the table."
  type        = map(string)
  nullable    = false
}
