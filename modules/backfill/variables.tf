variable "role" {
  description = "The jobs' role: whether there is one, name, path and permissions boundary."
  type = object({
    create               = bool
    name                 = string
    path                 = string
    permissions_boundary = string
  })
  nullable = false
}

variable "jobs" {
  description = "Where manifests and reports are: bucket, its key prefix with the slash, and whether inventories stand elsewhere in it."
  type = object({
    bucket_arn  = string
    prefix      = string
    inventories = bool
  })
  nullable = false
}

variable "function_arn" {
  description = "ARN of the function that jobs invoke."
  type        = string
  nullable    = false
}

variable "source_bucket_arn" {
  description = "ARN of the bucket whose objects jobs are about."
  type        = string
  nullable    = false
}

variable "tags" {
  description = "Tags for the role."
  type        = map(string)
  nullable    = false
}
