variable "name_prefix" {
  description = "What stands before every default name, hyphen included (team-a-), so that several pipelines live in one account."
  type        = string
  default     = null

  validation {
    condition = (
      var.name_prefix == null || var.bucket.name != null
      ? can(regex("^[A-Za-z0-9_-]{0,44}$", coalesce(var.name_prefix, "-")))
      : can(regex("^([a-z0-9][a-z0-9-]{0,18})?$", var.name_prefix))
    )
    error_message = join(" ", [
      "name_prefix is ${jsonencode(var.name_prefix)}; write at most",
      var.bucket.name != null
      ? "44 of A-Z, a-z, 0-9, _ and -, since names of functions and rules end at 64."
      : "19 of a-z, 0-9 and -, not - first, since the bucket's name starts with it and ends at 63, or set bucket.name too.",
    ])
  }

  validation {
    condition = (
      var.name_prefix == null || var.bucket.name != null
      ? true
      : !anytrue([for reserved in ["xn--", "sthree-", "amzn-s3-demo-"] : startswith(var.name_prefix, reserved)])
    )
    error_message = join(" ", [
      "name_prefix is ${jsonencode(var.name_prefix)};",
      "S3 reserves bucket names that start with xn--, sthree- or amzn-s3-demo-: start it otherwise, or set bucket.name.",
    ])
  }
}

variable "tags" {
  description = "Tags for everything that takes tags; null is Environment = \"Lab\", unless the provider's default_tags have environment in any case."
  type        = map(string)
  default     = null

  validation {
    condition = var.tags == null ? true : alltrue([
      for key, value in var.tags : can(regex(local.tag_patterns.key, key)) && !startswith(lower(key), "aws:") && can(regex(local.tag_patterns.value, value))
    ])
    error_message = format(
      "tags has %s; write keys of 1 to 128 and values of at most 256 letters, digits, blanks and _.:/=+@-, no key that starts with aws:.",
      join(", ", [
        for key, value in coalesce(var.tags, {}) : "${jsonencode(key)} = ${jsonencode(value)}"
        if !(can(regex(local.tag_patterns.key, key)) && !startswith(lower(key), "aws:") && can(regex(local.tag_patterns.value, value)))
      ]),
    )
  }

  validation {
    condition = var.tags == null ? true : length(var.tags) <= 50 && length(distinct([for key in keys(var.tags) : lower(key)])) == length(var.tags)
    error_message = join(" ", [
      "tags has ${length(coalesce(var.tags, {}))} keys (${join(", ", keys(coalesce(var.tags, {})))});",
      "write at most 50, none twice in capitals and small letters, which IAM takes for the same.",
    ])
  }

  validation {
    condition = alltrue(flatten([
      for key in keys(coalesce(var.tags, {})) : [for default in keys(local.default_tags) : key == default || lower(key) != lower(default)]
    ]))
    error_message = format(
      "tags has %s, which IAM takes for the same; write the key as default_tags has it, or leave it out.",
      join(", ", flatten([
        for key in keys(coalesce(var.tags, {})) : [
          for default in keys(local.default_tags) : "${jsonencode(key)} and the provider's default_tags ${jsonencode(default)}"
          if key != default && lower(key) == lower(default)
        ]
      ])),
    )
  }
}

variable "alarm_emails" {
  description = "E-mail addresses that get each alarm, once each has confirmed the message that AWS sends; known at plan, which shows even sensitive ones."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition = alltrue([for address in var.alarm_emails : can(regex(local.email_pattern, address))])
    error_message = format(
      "alarm_emails holds %s, which is not an e-mail address; write one address an element, like \"ops@example.com\".",
      join(", ", [
        for address in var.alarm_emails : address == null ? "null" : "\"${address}\"" if !can(regex(local.email_pattern, address))
      ]),
    )
  }
}

variable "dashboard" {
  # BEGIN description
  description = <<-EOT
    A CloudWatch dashboard that shows the whole pipeline on one screen.

    - `create` (`false`): Whether the module makes the dashboard. Three in an account are free. Known at plan.
    - `name` (`event-driven-pipeline`): Name of the dashboard.
  EOT
  # END description
  type = object({
    # Whether the module makes the dashboard. Three in an account are free. Known at plan.
    create = optional(bool, false)
    # Name of the dashboard.
    name = optional(string) # `event-driven-pipeline`
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.dashboard.name == null ? true : can(regex("^[A-Za-z0-9_-]{1,255}$", var.dashboard.name))
    error_message = "dashboard.name is ${jsonencode(var.dashboard.name)}; write 1 to 255 of A-Z, a-z, 0-9, _ and -."
  }
}

variable "backfill" {
  # BEGIN description
  description = <<-EOT
    Backfill by S3 Batch Operations, for buckets of many millions of objects.

    - `create` (`false`): Whether S3 Batch Operations jobs can write records of objects (`pipeline backfill
      --batch-operations`): a role for them, and the function's right to ask S3 about the bucket's objects. Each job
      costs money. Known at plan.
    - `bucket` (`null`): Bucket of the same account and region whose inventories jobs read, and whose
      `batch-operations/` takes manifests and reports; `null` is the pipeline's own bucket, without inventories. There
      each report is an upload like any other.
    - `role_name` (`S3-Batch-Role`): Name of the jobs' role. Its path and permissions boundary are those of the
      function's role. Changing it makes a new role.
  EOT
  # END description
  type = object({
    # Whether S3 Batch Operations jobs can write records of objects (`pipeline backfill --batch-operations`): a role for them, and the
    # function's right to ask S3 about the bucket's objects. Each job costs money. Known at plan.
    create = optional(bool, false)
    # Bucket of the same account and region whose inventories jobs read, and whose `batch-operations/` takes manifests and reports;
    # `null` is the pipeline's own bucket, without inventories. There each report is an upload like any other.
    bucket = optional(string)
    # Name of the jobs' role. Its path and permissions boundary are those of the function's role. Changing it makes a new role.
    role_name = optional(string) # `S3-Batch-Role`
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.backfill.bucket == null ? true : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.backfill.bucket))
    error_message = "backfill.bucket is ${jsonencode(var.backfill.bucket)}; write the name of a bucket, 3 to 63 of a-z, 0-9, . and -."
  }

  validation {
    condition     = var.backfill.role_name == null ? true : can(regex("^[A-Za-z0-9+=,.@_-]{1,64}$", var.backfill.role_name))
    error_message = "backfill.role_name is ${jsonencode(var.backfill.role_name)}; write 1 to 64 of A-Z, a-z, 0-9 and +=,.@_-."
  }
}

variable "encryption" {
  # BEGIN description
  description = <<-EOT
    Whose key encrypts bucket, table, topic, queues and logs.

    - `mode` (`"service"`): Whose key: `service` (AWS's own, free), `create` (one customer-managed key that the module
      makes) or `given` (yours). A change from `create` schedules the module's key for deletion: objects, log lines and
      messages that it encrypted can no longer be read. Known at plan.
    - `kms_key_arn` (`null`): ARN of your customer-managed key, in the same region. Only with `mode = "given"`; its
      policy needs the output `kms_policy_statements`.
  EOT
  # END description
  type = object({
    # Whose key: `service` (AWS's own, free), `create` (one customer-managed key that the module makes) or `given` (yours).
    # A change from `create` schedules the module's key for deletion: objects, log lines and messages that it encrypted can no longer be read.
    # Known at plan.
    mode = optional(string, "service")
    # ARN of your customer-managed key, in the same region. Only with `mode = "given"`; its policy needs the output `kms_policy_statements`.
    kms_key_arn = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["service", "create", "given"], var.encryption.mode)
    error_message = "encryption.mode is \"${var.encryption.mode}\"; write service (free), create or given."
  }

  validation {
    condition     = var.encryption.mode != "given" || var.encryption.kms_key_arn != null
    error_message = "encryption.mode is \"given\" and encryption.kms_key_arn is not set; write the ARN of the key."
  }

  validation {
    condition = var.encryption.mode == "given" || var.encryption.kms_key_arn == null
    error_message = join(" ", [
      "encryption.kms_key_arn is ${jsonencode(var.encryption.kms_key_arn)} and encryption.mode is \"${var.encryption.mode}\";",
      "set mode = \"given\" to use that key, or leave kms_key_arn out.",
    ])
  }

  validation {
    condition = var.encryption.kms_key_arn == null ? true : !can(regex("alias/aws/", var.encryption.kms_key_arn))
    error_message = join(" ", [
      "encryption.kms_key_arn is ${jsonencode(var.encryption.kms_key_arn)}, a key that AWS manages:",
      "its policy lets no other service use it, so that alarms would never reach the topic and S3 and EventBridge no queue;",
      "write the ARN of a customer-managed key.",
    ])
  }

  validation {
    condition = (
      var.encryption.kms_key_arn == null || can(regex("alias/aws/", var.encryption.kms_key_arn))
      ? true
      : can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.encryption.kms_key_arn))
    )
    error_message = join(" ", [
      "encryption.kms_key_arn is ${jsonencode(var.encryption.kms_key_arn)};",
      "write the key's own ARN, arn:…:key/…, since neither policies nor log groups take an alias or an id.",
    ])
  }

  validation {
    condition = (
      !can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/", var.encryption.kms_key_arn))
      ? true
      : startswith(var.encryption.kms_key_arn, local.kms_arns)
    )
    error_message = join(" ", [
      "encryption.kms_key_arn is ${jsonencode(var.encryption.kms_key_arn)};",
      "a key serves its own region only: write one that starts with ${local.kms_arns}.",
    ])
  }
}

variable "free_tier" {
  description = "What happens when a setting leaves AWS's always-free limits: warn, enforce (the plan fails) or off; free_tier_exceptions lists it anyway."
  type        = string
  default     = "warn"
  nullable    = false

  validation {
    condition     = contains(["warn", "enforce", "off"], var.free_tier)
    error_message = "free_tier is \"${var.free_tier}\"; write warn, enforce or off."
  }
}
