variable "bucket" {
  # BEGIN description
  description = <<-EOT
    The bucket that files are uploaded to, made by the module or existing. Of an existing one only its notification configuration can be the module's.

    - `create` (`true`): Whether the module makes the bucket. With `false`, `name` names an existing bucket of the same
      account and region. Known at plan.
    - `name` (`event-driven-lab-<account id>-<region>`): Name of the bucket. On a running pipeline the plan refuses
      another name, which would make a new, empty bucket.
    - `force_destroy` (`false`): Whether `terraform destroy` deletes the objects in the bucket too. With `false` it
      stops at a bucket that is not empty: the bucket's settings, the function and the queues are gone by then, the
      table is not. `pipeline verify --before-destroy` looks before.
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
    - `eventbridge` (`null`): Whether S3 sends the bucket's events to EventBridge. `null` does so where delivery needs
      it; `true` also for others, such as their rules or GuardDuty, and costs money for every event. Switched on beside
      the module, it is off again after the next apply.
    - `notifications` (`[]`): Others that the bucket notifies too, 100 with `delivery.filters`. Two that could match the
      same event are refused, as S3 does. Their queue, topic or function must let S3 in already.
      - `arn` (required): ARN of the SQS queue, SNS topic or Lambda function, in the bucket's region; no FIFO.
      - `events` (`["s3:ObjectCreated:*"]`): S3 event types, like `s3:ObjectCreated:Put` or `s3:ObjectRemoved:*`.
      - `prefix` (`""`): What the object's key begins with, written as the key is; `""` for any.
      - `suffix` (`""`): What the object's key ends with, written as the key is; `""` for any.
    - `policy_json` (`null`): What others may do with the bucket: statements beside the module's own, as the JSON of an
      IAM policy document. Write the bucket's ARN from a literal `name`: an output of this module would be a cycle.
    - `lifecycle_rules` (`[]`): Lifecycle rules beside the module's own two. Where two rules expire an object, the
      sooner wins.
      - `id` (required): Name of the rule.
      - `prefix` (`""`): Key prefix of the objects that it is about; `""` for all.
      - `expiration_days` (`null`): Days after which S3 deletes an object, in a bucket with versions only the current
        one.
      - `noncurrent_days` (`null`): Days after which S3 deletes a version that is no longer the current one.
      - `transitions` (`[]`): When an object moves to another storage class.
        - `days` (required): Days since the upload. `STANDARD_IA` and `ONEZONE_IA` take 30 or more.
        - `storage_class` (required): Storage class, like `GLACIER` or `STANDARD_IA`.
  EOT
  # END description
  type = object({
    # Whether the module makes the bucket. With `false`, `name` names an existing bucket of the same account and region. Known at plan.
    create = optional(bool, true)
    # Name of the bucket. On a running pipeline the plan refuses another name, which would make a new, empty bucket.
    name = optional(string) # `event-driven-lab-<account id>-<region>`
    # Whether `terraform destroy` deletes the objects in the bucket too. With `false` it stops at a bucket that is not empty: the bucket's settings,
    # the function and the queues are gone by then, the table is not. `pipeline verify --before-destroy` looks before.
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
    # Whether S3 sends the bucket's events to EventBridge. `null` does so where delivery needs it; `true` also for others, such as their rules
    # or GuardDuty, and costs money for every event. Switched on beside the module, it is off again after the next apply.
    eventbridge = optional(bool)
    # Others that the bucket notifies too, 100 with `delivery.filters`. Two that could match the same event are refused, as S3 does.
    # Their queue, topic or function must let S3 in already.
    notifications = optional(list(object({
      # ARN of the SQS queue, SNS topic or Lambda function, in the bucket's region; no FIFO.
      arn = string
      # S3 event types, like `s3:ObjectCreated:Put` or `s3:ObjectRemoved:*`.
      events = optional(list(string), ["s3:ObjectCreated:*"])
      # What the object's key begins with, written as the key is; `""` for any.
      prefix = optional(string, "")
      # What the object's key ends with, written as the key is; `""` for any.
      suffix = optional(string, "")
    })), [])
    # What others may do with the bucket: statements beside the module's own, as the JSON of an IAM policy document.
    # Write the bucket's ARN from a literal `name`: an output of this module would be a cycle.
    policy_json = optional(string)
    # Lifecycle rules beside the module's own two. Where two rules expire an object, the sooner wins.
    lifecycle_rules = optional(list(object({
      # Name of the rule.
      id = string
      # Key prefix of the objects that it is about; `""` for all.
      prefix = optional(string, "")
      # Days after which S3 deletes an object, in a bucket with versions only the current one.
      expiration_days = optional(number)
      # Days after which S3 deletes a version that is no longer the current one.
      noncurrent_days = optional(number)
      # When an object moves to another storage class.
      transitions = optional(list(object({
        # Days since the upload. `STANDARD_IA` and `ONEZONE_IA` take 30 or more.
        days = number
        # Storage class, like `GLACIER` or `STANDARD_IA`.
        storage_class = string
      })), [])
    })), [])
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
    condition = var.bucket.create || alltrue([var.bucket.policy_json == null, length(var.bucket.lifecycle_rules) == 0])
    error_message = join(" ", [
      "bucket.create is false, and bucket.policy_json or bucket.lifecycle_rules is set:",
      "an existing bucket's policy and lifecycle stay its owner's. Leave them out.",
    ])
  }

  validation {
    condition = (
      var.bucket.create || var.bucket.take_over_notifications ? true
      : length(var.bucket.notifications) == 0 && var.bucket.eventbridge == null
    )
    error_message = join(" ", [
      "bucket.create is false, and bucket.notifications or bucket.eventbridge is set: both are part of the notification configuration",
      "of ${jsonencode(var.bucket.name)}. Leave them to its owner, or set bucket.take_over_notifications = true.",
    ])
  }

  validation {
    condition     = var.bucket.eventbridge == null ? true : var.bucket.eventbridge
    error_message = "bucket.eventbridge is false; write true, or leave it out: S3 then sends events to EventBridge where delivery needs them."
  }

  validation {
    condition = alltrue([for other in var.bucket.notifications : can(regex(local.notification_target_pattern, other.arn))])
    error_message = format(
      "bucket.notifications has the arn %s; write that of an SQS queue, SNS topic or Lambda function, no FIFO.",
      join(", ", [
        for other in var.bucket.notifications : jsonencode(try(other.arn, null)) if !can(regex(local.notification_target_pattern, other.arn))
      ]),
    )
  }

  validation {
    condition = alltrue([for other in var.bucket.notifications : try(split(":", other.arn)[3] == local.region, true)])
    error_message = format(
      "bucket.notifications has the arn %s; S3 notifies in its own region only: write one in %s.",
      join(", ", [for other in var.bucket.notifications : jsonencode(other.arn) if try(split(":", other.arn)[3] != local.region, false)]),
      local.region,
    )
  }

  validation {
    condition = alltrue(flatten([
      for other in var.bucket.notifications : [
        for text in try([other.prefix, other.suffix], [null]) : try(length(replace(urlencode(text), local.unencoded_marks, "-")) <= 1024, false)
      ]
    ]))
    error_message = join(" ", [
      "bucket.notifications has a prefix or suffix that is null, or has more than 1024 characters once it is encoded for S3;",
      "write \"\" for any.",
    ])
  }

  validation {
    condition = alltrue([
      for other in var.bucket.notifications :
      try(length(other.events) > 0 && alltrue([for event in other.events : contains(local.notification_events, event)]), false)
    ])
    error_message = format(
      "bucket.notifications[].events holds %s; write S3 event types, like \"s3:ObjectCreated:*\" or \"s3:ObjectRemoved:Delete\".",
      join(", ", flatten([
        for other in var.bucket.notifications : try(length(other.events), 0) == 0 ? ["nothing"] : [
          for event in other.events : jsonencode(event) if !contains(local.notification_events, coalesce(event, "null"))
        ]
      ])),
    )
  }

  validation {
    condition = var.bucket.policy_json == null ? true : alltrue([
      for statement in try(flatten([jsondecode(var.bucket.policy_json).Statement]), [null]) : can(regex("^(Allow|Deny)$", statement.Effect))
    ])
    error_message = join(" ", [
      "bucket.policy_json is no IAM policy document;",
      "write JSON whose Statement is one or several objects with an Effect, such as data.aws_iam_policy_document.….json.",
    ])
  }

  # The one of two statements with one Sid would be lost.
  validation {
    condition = alltrue([
      for sids in [compact([for statement in try(flatten([jsondecode(var.bucket.policy_json).Statement]), []) : try(statement.Sid, "")])] :
      length(distinct(concat(local.own_sids.bucket, sids))) == length(local.own_sids.bucket) + length(sids)
    ])
    error_message = format(
      "bucket.policy_json has the Sid %s, which is the module's own or stands there twice; give each statement a Sid of its own.",
      join(", ", flatten([
        for sids in [compact([for statement in try(flatten([jsondecode(var.bucket.policy_json).Statement]), []) : try(statement.Sid, "")])] : [
          for sid in distinct(sids) : "\"${sid}\"" if contains(local.own_sids.bucket, sid) || length([for other in sids : other if other == sid]) > 1
        ]
      ])),
    )
  }

  validation {
    condition = alltrue([
      for rule in var.bucket.lifecycle_rules : try(
        can(regex("^[ -~]{1,255}$", rule.id)) && !contains(local.own_lifecycle_rules, rule.id)
        && length([for other in var.bucket.lifecycle_rules : other if other.id == rule.id]) == 1,
        false
      )
    ])
    error_message = format(
      "bucket.lifecycle_rules has the id %s; write ids of 1 to 255 ASCII characters, none twice, none of the module's own (%s).",
      join(", ", [for rule in var.bucket.lifecycle_rules : jsonencode(try(rule.id, null))]),
      join(", ", local.own_lifecycle_rules),
    )
  }

  validation {
    condition = alltrue(flatten([
      for rule in var.bucket.lifecycle_rules : [
        # In bytes, of which base64 makes four characters of three.
        try(floor(length(trim(base64encode(rule.prefix), "=")) * 3 / 4) <= 1024, false),
        try(rule.expiration_days != null || rule.noncurrent_days != null || length(rule.transitions) > 0, false),
        [for days in [try(rule.expiration_days, null), try(rule.noncurrent_days, null)] : days == null ? true : days >= 1 && floor(days) == days],
      ]
    ]))
    error_message = join(" ", [
      "bucket.lifecycle_rules has a rule that does nothing, a prefix that is null or over 1024 bytes, or days that are no whole number of 1 or more;",
      "write expiration_days, noncurrent_days or transitions.",
    ])
  }

  validation {
    condition = alltrue(flatten([
      for rule in var.bucket.lifecycle_rules : [
        for transition in try(rule.transitions, []) : try(
          contains(keys(local.storage_classes), transition.storage_class) && floor(transition.days) == transition.days
          && transition.days >= local.storage_classes[transition.storage_class]
          && (rule.expiration_days == null ? true : rule.expiration_days > transition.days),
          false
        )
      ]
    ]))
    error_message = format(
      "bucket.lifecycle_rules has a transition that S3 refuses; write a whole number of days before the rule's expiration_days, and one of %s.",
      join(", ", [for class, days in local.storage_classes : "${class} (${days} days or more)"]),
    )
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
