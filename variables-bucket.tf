variable "bucket" {
  # BEGIN description
  description = <<-EOT
    The bucket that files are uploaded to, made by the module or existing. Of an existing one only `name` and `take_over_notifications` apply.

    - `create` (`true`): Whether the module makes the bucket. With `false`, `name` names an existing bucket of the same
      account and region. Known at plan.
    - `name` (`event-driven-lab-<account id>-<region>`): Name of the bucket. Changing it makes a new, empty bucket.
    - `force_destroy` (`false`): Whether `terraform destroy` deletes the objects in the bucket too. With `false` it
      stops at a bucket that is not empty.
    - `versioning` (`true`): Whether S3 keeps the former versions of objects that are overwritten or deleted. Turned
      off, existing ones stay for `noncurrent_days`.
    - `abort_multipart_days` (`7`): Days after which S3 deletes the parts of a multipart upload that was not completed.
    - `noncurrent_days` (`30`): Days after which S3 deletes a version that is no longer the current one.
    - `access_log` (`null`): Where S3 logs each request to the bucket; `null` logs none. The logs' storage costs money.
      Whether it is `null` must be known at plan.
      - `bucket` (required): Name of another bucket of the same account and region, encrypted with SSE-S3, whose policy
        lets `logging.s3.amazonaws.com` put objects. Otherwise S3 delivers no logs, and reports no error.
      - `prefix` (`""`): Key prefix of the log files, like `s3/`.
    - `take_over_notifications` (`false`): Whether the module owns the whole notification configuration of an existing
      bucket. `true` replaces what others configured there. Setting it back to `false`, or destroying the stack, empties
      the configuration. An existing bucket needs it for `delivery.via = "notification"`. Known at plan.
  EOT
  # END description
  type = object({
    # Whether the module makes the bucket. With `false`, `name` names an existing bucket of the same account and region. Known at plan.
    create = optional(bool, true)
    # Name of the bucket. Changing it makes a new, empty bucket.
    name = optional(string) # `event-driven-lab-<account id>-<region>`
    # Whether `terraform destroy` deletes the objects in the bucket too. With `false` it stops at a bucket that is not empty.
    force_destroy = optional(bool, false)
    # Whether S3 keeps the former versions of objects that are overwritten or deleted. Turned off, existing ones stay for `noncurrent_days`.
    versioning = optional(bool, true)
    # Days after which S3 deletes the parts of a multipart upload that was not completed.
    abort_multipart_days = optional(number, 7)
    # Days after which S3 deletes a version that is no longer the current one.
    noncurrent_days = optional(number, 30)
    # Where S3 logs each request to the bucket; `null` logs none. The logs' storage costs money. Whether it is `null` must be known at plan.
    access_log = optional(object({
      # Name of another bucket of the same account and region, encrypted with SSE-S3, whose policy lets `logging.s3.amazonaws.com` put objects.
      # Otherwise S3 delivers no logs, and reports no error.
      bucket = string
      # Key prefix of the log files, like `s3/`.
      prefix = optional(string, "")
    }))
    # Whether the module owns the whole notification configuration of an existing bucket. `true` replaces what others configured there.
    # Setting it back to `false`, or destroying the stack, empties the configuration. An existing bucket needs it for `delivery.via = "notification"`.
    # Known at plan.
    take_over_notifications = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition = var.bucket.name == null ? true : alltrue([
      can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket.name)),
      !can(regex("\\.\\.|^[0-9]+\\.[0-9]+\\.[0-9]+\\.[0-9]+$", var.bucket.name)),
      !can(regex("^(xn--|sthree-|amzn-s3-demo-)|(-s3alias|--ol-s3|\\.mrap|--x-s3|--table-s3|-an)$", var.bucket.name)),
    ])
    error_message = join(" ", [
      "bucket.name is ${jsonencode(var.bucket.name)}, which S3 refuses; write 3 to 63 of a-z, 0-9, . and -, a letter or digit first and last,",
      "no two dots in a row, no IP address, and none of the reserved beginnings (xn--, sthree-, amzn-s3-demo-)",
      "and endings (-s3alias, --ol-s3, .mrap, --x-s3, --table-s3, -an).",
    ])
  }

  validation {
    condition     = var.bucket.create || var.bucket.name != null
    error_message = "bucket.create is false and bucket.name is not set; name the existing bucket."
  }

  validation {
    condition = var.bucket.create || var.delivery.via != "notification" || var.bucket.take_over_notifications
    error_message = join(" ", [
      "bucket.create is false: delivery by notification replaces the whole notification configuration of ${jsonencode(var.bucket.name)},",
      "and destroying this stack empties it; if nobody else uses it, set bucket.take_over_notifications = true.",
    ])
  }

  validation {
    condition = var.bucket.create || var.bucket.take_over_notifications || var.delivery.via == "notification" || !var.delivery.handover
    error_message = join(" ", [
      "bucket.create is false and delivery.handover is true:",
      "notification and EventBridge at once need the notification configuration of ${jsonencode(var.bucket.name)};",
      "if nobody else uses it, set bucket.take_over_notifications = true.",
    ])
  }

  validation {
    condition = alltrue([
      for name, bound in local.bounds.bucket : var.bucket[name] == min(max(floor(var.bucket[name]), bound.least), bound.most)
    ])
    error_message = join("\n", [
      for name, bound in local.bounds.bucket : "bucket.${name} is ${var.bucket[name]}; write ${bound.write}."
      if var.bucket[name] != min(max(floor(var.bucket[name]), bound.least), bound.most)
    ])
  }

  validation {
    condition     = var.bucket.access_log == null ? true : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket.access_log.bucket))
    error_message = "bucket.access_log.bucket is ${jsonencode(try(var.bucket.access_log.bucket, null))}; write the name of a bucket."
  }

  validation {
    condition = var.bucket.access_log == null || var.bucket.name == null ? true : var.bucket.access_log.bucket != var.bucket.name
    error_message = join(" ", [
      "bucket.access_log.bucket is ${jsonencode(try(var.bucket.access_log.bucket, null))}, the bucket itself:",
      "each log file would be logged in turn. Name another bucket.",
    ])
  }
}
