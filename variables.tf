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
    error_message = (
      var.bucket.name != null
      ? "name_prefix is ${jsonencode(var.name_prefix)}; write at most 44 of A-Z, a-z, 0-9, _ and -, since names of functions and rules end at 64."
      : "name_prefix is ${jsonencode(var.name_prefix)}; write at most 19 of a-z, 0-9 and -, not - first, since the bucket's name starts with it and ends at 63, or set bucket.name too."
    )
  }

  validation {
    condition = (
      var.name_prefix == null || var.bucket.name != null
      ? true
      : !anytrue([for reserved in ["xn--", "sthree-", "amzn-s3-demo-"] : startswith(var.name_prefix, reserved)])
    )
    error_message = "name_prefix is ${jsonencode(var.name_prefix)}; S3 reserves bucket names that start with xn--, sthree- or amzn-s3-demo-: start it otherwise, or set bucket.name."
  }
}

variable "tags" {
  description = "Tags for everything that takes tags; what you set replaces the default."
  type        = map(string)
  default     = { Environment = "Lab" }
  nullable    = false

  validation {
    condition = alltrue(flatten([for key, value in var.tags : [
      can(regex("^[\\p{L}\\p{Z}\\p{N}_.:/=+@-]{1,128}$", key)),
      !startswith(lower(key), "aws:"),
      can(regex("^[\\p{L}\\p{Z}\\p{N}_.:/=+@-]{0,256}$", value)),
    ]]))
    error_message = "tags has ${join(", ", [for key, value in var.tags : "${jsonencode(key)} = ${jsonencode(value)}" if !(can(regex("^[\\p{L}\\p{Z}\\p{N}_.:/=+@-]{1,128}$", key)) && !startswith(lower(key), "aws:") && can(regex("^[\\p{L}\\p{Z}\\p{N}_.:/=+@-]{0,256}$", value)))])}; write keys of 1 to 128 and values of at most 256 letters, digits, blanks and _.:/=+@-, no key that starts with aws:."
  }

  validation {
    condition     = length(var.tags) <= 50 && length(distinct([for key in keys(var.tags) : lower(key)])) == length(var.tags)
    error_message = "tags has ${length(var.tags)} keys (${join(", ", keys(var.tags))}); write at most 50, none twice in capitals and small letters, which IAM takes for the same."
  }
}

variable "alarm_emails" {
  description = "E-mail addresses that get each alarm, once each has confirmed the message that AWS sends; known at plan."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for address in var.alarm_emails : can(regex(local.email_pattern, address))])
    error_message = "alarm_emails holds ${join(", ", [for address in var.alarm_emails : address == null ? "null" : "\"${address}\"" if !can(regex(local.email_pattern, address))])}, which is not an e-mail address; write one address an element, like \"ops@example.com\"."
  }
}

variable "bucket" {
  description = "Bucket: made here or existing, its safeguards, after how many days leftovers go, and whether an existing one's notification configuration is this module's, to fill and one day to empty."
  type = object({
    create               = optional(bool, true)
    name                 = optional(string) # event-driven-lab-<account id>-<region>
    force_destroy        = optional(bool, false)
    versioning           = optional(bool, true)
    abort_multipart_days = optional(number, 7)
    noncurrent_days      = optional(number, 30)
    access_log = optional(object({
      bucket = string
      prefix = optional(string, "")
    }))
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
    error_message = "bucket.name is ${jsonencode(var.bucket.name)}, which S3 refuses; write 3 to 63 of a-z, 0-9, . and -, a letter or digit first and last, no two dots in a row, no IP address, and none of the reserved beginnings (xn--, sthree-, amzn-s3-demo-) and endings (-s3alias, --ol-s3, .mrap, --x-s3, --table-s3, -an)."
  }

  validation {
    condition     = var.bucket.create || var.bucket.name != null
    error_message = "bucket.create is false and bucket.name is not set; name the existing bucket."
  }

  validation {
    condition     = var.bucket.create || var.delivery.via != "notification" || var.bucket.take_over_notifications
    error_message = "bucket.create is false: delivery by notification replaces the whole notification configuration of ${jsonencode(var.bucket.name)}, and destroying this stack empties it; if nobody else uses it, set bucket.take_over_notifications = true."
  }

  validation {
    condition     = var.bucket.create || var.bucket.take_over_notifications || var.delivery.via == "notification" || !var.delivery.handover
    error_message = "bucket.create is false and delivery.handover is true: both ways at once need the notification configuration of ${jsonencode(var.bucket.name)}; if nobody else uses it, set bucket.take_over_notifications = true."
  }

  validation {
    condition     = var.bucket.abort_multipart_days >= 1 && var.bucket.abort_multipart_days <= 2147483647 && floor(var.bucket.abort_multipart_days) == var.bucket.abort_multipart_days
    error_message = "bucket.abort_multipart_days is ${var.bucket.abort_multipart_days}; write a whole number of days, 1 or more."
  }

  validation {
    condition     = var.bucket.noncurrent_days >= 1 && var.bucket.noncurrent_days <= 2147483647 && floor(var.bucket.noncurrent_days) == var.bucket.noncurrent_days
    error_message = "bucket.noncurrent_days is ${var.bucket.noncurrent_days}; write a whole number of days, 1 or more."
  }

  validation {
    condition     = var.bucket.access_log == null ? true : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket.access_log.bucket))
    error_message = "bucket.access_log.bucket is ${jsonencode(try(var.bucket.access_log.bucket, null))}; write the name of a bucket."
  }

  validation {
    condition     = var.bucket.access_log == null || var.bucket.name == null ? true : var.bucket.access_log.bucket != var.bucket.name
    error_message = "bucket.access_log.bucket is ${jsonencode(try(var.bucket.access_log.bucket, null))}, the bucket itself: each log file would be logged in turn. Name another bucket."
  }
}

variable "delivery" {
  description = "How events reach the function: source, filters, retries, the age in seconds at which an event is given up, the queue for failures, and the queue in between, if any."
  type = object({
    via = optional(string, "notification")
    filters = optional(list(object({
      prefix = string
      suffix = string
      events = optional(list(string), ["s3:ObjectCreated:*"])
    })), [{ prefix = "", suffix = "" }])
    handover              = optional(bool, false)
    paused                = optional(bool, false)
    max_retries           = optional(number, 2)
    max_event_age_seconds = optional(number, 21600)
    failure_queue_name    = optional(string) # event-driven-failures
    rule_name             = optional(string) # event-driven-uploads
    buffer = optional(object({
      name              = optional(string) # event-driven-buffer
      batch_size        = optional(number, 100)
      window_seconds    = optional(number, 5)
      max_concurrency   = optional(number)
      max_receive_count = optional(number, 5)
      retention_days    = optional(number, 4)
      drain             = optional(bool, false)
    }))
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["notification", "eventbridge"], var.delivery.via)
    error_message = "delivery.via is \"${var.delivery.via}\"; write \"notification\" or \"eventbridge\"."
  }

  validation {
    condition     = length(var.delivery.filters) > 0
    error_message = "delivery.filters is empty, so that nothing would be delivered; leave it out to take everything, or write [{ prefix = \"\", suffix = \"\" }]."
  }

  validation {
    condition     = alltrue([for filter in var.delivery.filters : filter == null ? false : filter.prefix != null && filter.suffix != null])
    error_message = "delivery.filters[].prefix or .suffix is null; write \"\" for any."
  }

  validation {
    condition     = length(var.delivery.filters) <= 100 && alltrue([for filter in var.delivery.filters : try(length(filter.prefix) <= 1024 && length(filter.suffix) <= 1024, true)])
    error_message = "delivery.filters has ${length(var.delivery.filters)} filters; S3 takes 100 at most, with prefixes and suffixes of at most 1024 characters."
  }

  validation {
    condition = alltrue(flatten([
      for filter in var.delivery.filters : [
        try(length(filter.events) > 0, true),
        [for event in try(filter.events, []) : contains(local.notification_events, coalesce(event, "null"))],
      ]
    ]))
    error_message = "delivery.filters[].events holds ${join(", ", flatten([for filter in var.delivery.filters : try(length(filter.events), 1) == 0 ? ["nothing"] : [for event in try(filter.events, []) : jsonencode(event) if !contains(local.notification_events, coalesce(event, "null"))]]))}; write S3 event types, like \"s3:ObjectCreated:*\" or \"s3:ObjectRemoved:Delete\"."
  }

  validation {
    condition = var.delivery.via == "notification" && !var.delivery.handover ? true : alltrue(flatten([
      for filter in var.delivery.filters : [
        for event in try(filter.events, []) : contains(local.eventbridge_events, coalesce(event, "null")) || !contains(local.notification_events, coalesce(event, "null"))
      ]
    ]))
    error_message = "delivery.filters[].events holds ${join(", ", distinct(flatten([for filter in var.delivery.filters : [for event in try(filter.events, []) : jsonencode(event) if !contains(local.eventbridge_events, coalesce(event, "null"))]])))}, which S3 does not send to EventBridge; leave it out, or deliver by notification."
  }

  validation {
    condition     = contains([0, 1, 2], var.delivery.max_retries)
    error_message = "delivery.max_retries is ${var.delivery.max_retries}; write 0, 1 or 2, which is all that Lambda offers."
  }

  validation {
    condition     = var.delivery.max_event_age_seconds >= 60 && var.delivery.max_event_age_seconds <= 21600 && floor(var.delivery.max_event_age_seconds) == var.delivery.max_event_age_seconds
    error_message = "delivery.max_event_age_seconds is ${var.delivery.max_event_age_seconds}; write 60 to 21600 seconds."
  }

  validation {
    condition     = var.delivery.failure_queue_name == null ? true : can(regex("^[A-Za-z0-9_-]{1,80}$", var.delivery.failure_queue_name))
    error_message = "delivery.failure_queue_name is ${jsonencode(var.delivery.failure_queue_name)}; write 1 to 80 of A-Z, a-z, 0-9, _ and -."
  }

  validation {
    condition     = var.delivery.rule_name == null ? true : can(regex("^[A-Za-z0-9._-]{1,64}$", var.delivery.rule_name))
    error_message = "delivery.rule_name is ${jsonencode(var.delivery.rule_name)}; write 1 to 64 of A-Z, a-z, 0-9, ., _ and -."
  }

  validation {
    condition     = var.delivery.buffer == null ? true : var.delivery.buffer.name == null ? true : can(regex("^[A-Za-z0-9_-]{1,80}$", var.delivery.buffer.name))
    error_message = "delivery.buffer.name is ${jsonencode(try(var.delivery.buffer.name, null))}; write 1 to 80 of A-Z, a-z, 0-9, _ and -."
  }

  validation {
    condition     = var.delivery.buffer == null ? true : var.delivery.buffer.batch_size >= 1 && var.delivery.buffer.batch_size <= 10000 && floor(var.delivery.buffer.batch_size) == var.delivery.buffer.batch_size
    error_message = "delivery.buffer.batch_size is ${try(var.delivery.buffer.batch_size, 100)}; write a whole number of messages, 1 to 10000."
  }

  validation {
    condition     = var.delivery.buffer == null ? true : var.delivery.buffer.window_seconds >= 0 && var.delivery.buffer.window_seconds <= 300 && floor(var.delivery.buffer.window_seconds) == var.delivery.buffer.window_seconds
    error_message = "delivery.buffer.window_seconds is ${try(var.delivery.buffer.window_seconds, 5)}; write a whole number of seconds, 0 to 300."
  }

  validation {
    condition     = var.delivery.buffer == null ? true : var.delivery.buffer.batch_size <= 10 || var.delivery.buffer.window_seconds >= 1
    error_message = "delivery.buffer.batch_size is ${try(var.delivery.buffer.batch_size, 100)} and delivery.buffer.window_seconds is ${try(var.delivery.buffer.window_seconds, 5)}; Lambda gathers more than 10 messages only in a window of 1 second or more: raise window_seconds, or write batch_size = 10."
  }

  validation {
    condition     = try(var.delivery.buffer.max_concurrency, null) == null ? true : var.delivery.buffer.max_concurrency >= 2 && var.delivery.buffer.max_concurrency <= 1000 && floor(var.delivery.buffer.max_concurrency) == var.delivery.buffer.max_concurrency
    error_message = "delivery.buffer.max_concurrency is ${jsonencode(try(var.delivery.buffer.max_concurrency, null))}; write a whole number of invokes at a time, 2 to 1000, or leave it out for no limit."
  }

  validation {
    condition     = var.delivery.buffer == null ? true : var.delivery.buffer.max_receive_count >= 1 && var.delivery.buffer.max_receive_count <= 1000 && floor(var.delivery.buffer.max_receive_count) == var.delivery.buffer.max_receive_count
    error_message = "delivery.buffer.max_receive_count is ${try(var.delivery.buffer.max_receive_count, 5)}; write how often a message is tried before it goes to the failure queue, 1 to 1000."
  }

  validation {
    condition     = var.delivery.buffer == null ? true : var.delivery.buffer.retention_days >= 1 && var.delivery.buffer.retention_days <= 14 && floor(var.delivery.buffer.retention_days) == var.delivery.buffer.retention_days
    error_message = "delivery.buffer.retention_days is ${try(var.delivery.buffer.retention_days, 4)}; write a whole number of days, 1 to 14."
  }
}

variable "function" {
  description = "Function: package, runtime, memory in MB, timeout in seconds, log level and retention in days, role, and what a team's own code needs."
  type = object({
    name                 = optional(string) # S3ToDynamoProcessor
    package              = optional(string) # lambda_src/dist/lambda.zip of this module
    handler              = optional(string, "lambda_function.lambda_handler")
    runtime              = optional(string, "python3.12")
    architecture         = optional(string, "arm64")
    memory_mb            = optional(number, 256)
    timeout_seconds      = optional(number, 30)
    reserved_concurrency = optional(number)
    environment          = optional(map(string), {})
    layers               = optional(list(string), [])
    vpc = optional(object({
      subnet_ids         = list(string)
      security_group_ids = list(string)
    }))
    tracing              = optional(string, "PassThrough")
    log_level            = optional(string, "INFO")
    log_retention_days   = optional(number, 14)
    role_name            = optional(string) # Lambda-S3-DDB-Role
    role_path            = optional(string, "/")
    permissions_boundary = optional(string)
    policy_json          = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.function.name == null ? true : can(regex("^[A-Za-z0-9_-]{1,64}$", var.function.name))
    error_message = "function.name is ${jsonencode(var.function.name)}; write 1 to 64 of A-Z, a-z, 0-9, _ and -."
  }

  validation {
    condition     = var.function.package == null ? true : try(fileexists(var.function.package), false)
    error_message = "function.package is ${jsonencode(var.function.package)}, and no such file exists; write the path of a zip file, like \"$${path.module}/handler.zip\", or leave it out to run this module's own handler."
  }

  validation {
    condition     = var.function.package == null ? true : try(startswith(filebase64(var.function.package), "UEsD"), true)
    error_message = "function.package is ${jsonencode(var.function.package)}, which is no zip file; write the path of a zip file that holds the handler."
  }

  validation {
    condition     = can(regex("^[^\\s]{1,128}$", var.function.handler))
    error_message = "function.handler is ${jsonencode(var.function.handler)}; write at most 128 characters without blanks, like \"module.function\"."
  }

  validation {
    condition     = var.function.package != null || can(regex("^python3\\.(1[2-9]|[2-9][0-9])$", var.function.runtime))
    error_message = "function.runtime is \"${var.function.runtime}\"; this module's own handler needs python3.12 or newer, another runtime needs function.package."
  }

  validation {
    condition     = contains(["arm64", "x86_64"], var.function.architecture)
    error_message = "function.architecture is \"${var.function.architecture}\"; write arm64 (a fifth cheaper) or x86_64."
  }

  validation {
    condition     = var.function.memory_mb >= 128 && var.function.memory_mb <= 10240 && floor(var.function.memory_mb) == var.function.memory_mb
    error_message = "function.memory_mb is ${var.function.memory_mb}; write a whole number of MB, 128 to 10240."
  }

  validation {
    condition     = var.function.timeout_seconds >= 1 && var.function.timeout_seconds <= 900 && floor(var.function.timeout_seconds) == var.function.timeout_seconds
    error_message = "function.timeout_seconds is ${var.function.timeout_seconds}; write a whole number of seconds, 1 to 900."
  }

  validation {
    condition     = var.function.reserved_concurrency == null ? true : var.function.reserved_concurrency >= 0 && floor(var.function.reserved_concurrency) == var.function.reserved_concurrency
    error_message = "function.reserved_concurrency is ${coalesce(var.function.reserved_concurrency, -1)}; write a whole number, 0 or more, or leave it out for the account's shared pool."
  }

  validation {
    condition     = length(setintersection(keys(var.function.environment), local.reserved_environment)) == 0
    error_message = "function.environment sets ${join(" and ", setintersection(keys(var.function.environment), local.reserved_environment))}, which Lambda or this module sets; leave it out (the table's name and retention are table.name and table.ttl_hours)."
  }

  validation {
    condition     = alltrue([for value in values(var.function.environment) : value != null]) && length(jsonencode(var.function.environment)) <= 3800
    error_message = "function.environment has ${length(jsonencode(var.function.environment))} bytes or a null in it; Lambda takes 4 KB with this module's own, and no nulls."
  }

  validation {
    condition     = alltrue([for key in keys(var.function.environment) : can(regex("^[A-Za-z][A-Za-z0-9_]+$", key))])
    error_message = "function.environment has the key ${join(", ", [for key in keys(var.function.environment) : "\"${key}\"" if !can(regex("^[A-Za-z][A-Za-z0-9_]+$", key))])}; Lambda takes a letter, then letters, digits and _, two characters at least."
  }

  validation {
    condition     = length(var.function.layers) <= 5
    error_message = "function.layers names ${length(var.function.layers)} layers; Lambda takes 5 at most."
  }

  validation {
    condition     = alltrue([for layer in var.function.layers : can(regex("^arn:[^:]+:lambda:[^:]+:[0-9]{12}:layer:[A-Za-z0-9_-]+:[0-9]+$", layer))])
    error_message = "function.layers holds ${join(", ", [for layer in var.function.layers : jsonencode(layer) if !can(regex("^arn:[^:]+:lambda:[^:]+:[0-9]{12}:layer:[A-Za-z0-9_-]+:[0-9]+$", layer))])}; write ARNs of layer versions, which end in the version's number."
  }

  validation {
    condition = var.function.vpc == null ? true : (
      try(alltrue([for id in concat(var.function.vpc.subnet_ids, var.function.vpc.security_group_ids) : id != null]), true)
      && try(length(var.function.vpc.subnet_ids) >= 1 && length(var.function.vpc.subnet_ids) <= 16, false)
      && try(length(var.function.vpc.security_group_ids) >= 1 && length(var.function.vpc.security_group_ids) <= 5, false)
    )
    error_message = "function.vpc has ${try(length(var.function.vpc.subnet_ids), 0)} subnet_ids and ${try(length(var.function.vpc.security_group_ids), 0)} security_group_ids; write 1 to 16 and 1 to 5, none of them null, or leave function.vpc out."
  }

  validation {
    condition     = contains(["PassThrough", "Active"], var.function.tracing)
    error_message = "function.tracing is \"${var.function.tracing}\"; write PassThrough (free) or Active."
  }

  validation {
    condition     = contains(["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"], var.function.log_level)
    error_message = "function.log_level is \"${var.function.log_level}\"; write TRACE, DEBUG, INFO, WARN, ERROR or FATAL."
  }

  validation {
    condition     = contains(local.log_retention_days, var.function.log_retention_days)
    error_message = "function.log_retention_days is ${var.function.log_retention_days}; CloudWatch takes one of ${join(", ", local.log_retention_days)} (0: for ever)."
  }

  validation {
    condition     = var.function.role_name == null ? true : can(regex("^[A-Za-z0-9+=,.@_-]{1,64}$", var.function.role_name))
    error_message = "function.role_name is ${jsonencode(var.function.role_name)}; write 1 to 64 of A-Z, a-z, 0-9 and +=,.@_-."
  }

  validation {
    condition     = can(regex("^/([A-Za-z0-9+=,.@_/-]{1,510}/)?$", var.function.role_path))
    error_message = "function.role_path is \"${var.function.role_path}\"; write a path that starts and ends with /, like \"/pipelines/\"."
  }

  validation {
    condition     = var.function.permissions_boundary == null ? true : can(regex("^arn:[^:]+:iam::[^:]*:policy/.+$", var.function.permissions_boundary))
    error_message = "function.permissions_boundary is ${jsonencode(var.function.permissions_boundary)}; write the ARN of an IAM policy."
  }

  validation {
    condition     = var.function.policy_json == null ? true : length(var.function.policy_json) <= 8192 && can(length(jsondecode(var.function.policy_json).Statement))
    error_message = "function.policy_json is no IAM policy document of at most 8192 characters; write JSON that has a Statement, such as data.aws_iam_policy_document.….json."
  }

  # Here and not with delivery: table and topic wait for that variable, and so would for this one, in
  # which a team may well name them.
  validation {
    condition     = try(var.delivery.buffer.max_concurrency, null) == null || var.function.reserved_concurrency == null ? true : var.delivery.buffer.max_concurrency <= var.function.reserved_concurrency
    error_message = "delivery.buffer.max_concurrency is ${jsonencode(try(var.delivery.buffer.max_concurrency, null))} and function.reserved_concurrency is ${jsonencode(var.function.reserved_concurrency)}: invokes beyond the latter are throttled and count as failed receives; write a max_concurrency that is not above it."
  }

  validation {
    condition     = var.delivery.buffer == null || var.function.reserved_concurrency == null ? true : var.function.reserved_concurrency >= 2
    error_message = "function.reserved_concurrency is ${jsonencode(var.function.reserved_concurrency)} and delivery.buffer is set: Lambda reads a queue with 2 invokes at a time at least; reserve 2 or more, or write delivery.paused = true to stop."
  }
}

variable "table" {
  description = "Event table: name, capacity in units a second, and how many hours a record lives."
  type = object({
    name                   = optional(string) # S3ObjectEvents
    billing_mode           = optional(string, "PROVISIONED")
    write_units            = optional(number, 5)
    read_units             = optional(number, 5)
    ttl_hours              = optional(number, 24)
    stream_view_type       = optional(string, "NEW_IMAGE")
    point_in_time_recovery = optional(bool, false)
    deletion_protection    = optional(bool, false)
    object_index           = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.table.name == null ? true : can(regex("^[A-Za-z0-9_.-]{3,255}$", var.table.name))
    error_message = "table.name is ${jsonencode(var.table.name)}; write 3 to 255 of A-Z, a-z, 0-9, _, . and -."
  }

  validation {
    condition     = contains(["PROVISIONED", "PAY_PER_REQUEST"], var.table.billing_mode)
    error_message = "table.billing_mode is \"${var.table.billing_mode}\"; write PROVISIONED (free up to 25 units) or PAY_PER_REQUEST."
  }

  validation {
    condition     = var.table.write_units >= 1 && var.table.write_units <= 1000000 && floor(var.table.write_units) == var.table.write_units
    error_message = "table.write_units is ${var.table.write_units}; write a whole number of units a second, 1 or more (25 are free)."
  }

  validation {
    condition     = var.table.read_units >= 1 && var.table.read_units <= 1000000 && floor(var.table.read_units) == var.table.read_units
    error_message = "table.read_units is ${var.table.read_units}; write a whole number of units a second, 1 or more (25 are free)."
  }

  validation {
    condition     = var.table.ttl_hours >= 1 && var.table.ttl_hours <= 876000 && floor(var.table.ttl_hours) == var.table.ttl_hours
    error_message = "table.ttl_hours is ${var.table.ttl_hours}; write a whole number of hours, 1 or more (876000 is a century)."
  }

  validation {
    condition     = contains(["NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES", "KEYS_ONLY"], var.table.stream_view_type)
    error_message = "table.stream_view_type is \"${var.table.stream_view_type}\"; write NEW_IMAGE, OLD_IMAGE, NEW_AND_OLD_IMAGES or KEYS_ONLY."
  }
}

variable "topic" {
  description = "Topic that alarms publish to, made here or existing, and who else gets its messages than alarm_emails."
  type = object({
    create = optional(bool, true)
    arn    = optional(string)
    name   = optional(string) # event-driven-alerts
    subscriptions = optional(map(object({
      protocol      = string
      endpoint      = string
      raw           = optional(bool, false)
      filter_policy = optional(string)
    })), {})
  })
  default  = {}
  nullable = false

  validation {
    condition = var.topic.create ? var.topic.arn == null : can(regex("^arn:[^:]+:sns:[^:]+:[0-9]{12}:[A-Za-z0-9_-]+$", var.topic.arn))
    error_message = (
      var.topic.create
      ? "topic.arn is ${jsonencode(var.topic.arn)} and topic.create is true; set topic.create = false to use that topic, or leave topic.arn out."
      : "topic.create is false and topic.arn is ${jsonencode(var.topic.arn)}; write the ARN of the existing topic."
    )
  }

  validation {
    condition     = var.topic.create || var.topic.arn == null ? true : startswith(var.topic.arn, local.topic_arns)
    error_message = "topic.arn is ${jsonencode(var.topic.arn)}; alarms reach topics of their own region and this account only: write one that starts with ${local.topic_arns}."
  }

  validation {
    condition     = var.topic.name == null ? true : can(regex("^[A-Za-z0-9_-]{1,256}$", var.topic.name))
    error_message = "topic.name is ${jsonencode(var.topic.name)}; write 1 to 256 of A-Z, a-z, 0-9, _ and - (alarms can't publish to a FIFO topic)."
  }

  validation {
    condition     = alltrue([for subscription in values(var.topic.subscriptions) : contains(keys(local.endpoint_patterns), try(subscription.protocol, "none"))])
    error_message = "topic.subscriptions has ${join(", ", [for key, subscription in var.topic.subscriptions : "${key} with protocol ${jsonencode(try(subscription.protocol, null))}" if !contains(keys(local.endpoint_patterns), try(subscription.protocol, "none"))])}; write one of ${join(", ", keys(local.endpoint_patterns))}."
  }

  # Without the endpoint in the message: it may hold a key.
  validation {
    condition     = alltrue([for subscription in values(var.topic.subscriptions) : can(regex(local.endpoint_patterns[subscription.protocol], subscription.endpoint))])
    error_message = "topic.subscriptions has no endpoint that fits its protocol at ${join(", ", [for key, subscription in var.topic.subscriptions : "${key} (${try(subscription.protocol, "null")})" if !can(regex(local.endpoint_patterns[subscription.protocol], subscription.endpoint))])}; write an address for email, an https:// URL for https, an ARN for lambda and sqs (no FIFO queue), a number like +4915112345678 for sms."
  }

  validation {
    condition     = alltrue([for subscription in values(var.topic.subscriptions) : try(!subscription.raw || contains(["sqs", "https"], subscription.protocol), true)])
    error_message = "topic.subscriptions has raw = true at ${join(", ", [for key, subscription in var.topic.subscriptions : key if try(subscription.raw && !contains(["sqs", "https"], subscription.protocol), false)])}; SNS delivers raw to sqs and https only."
  }

  validation {
    condition     = alltrue([for subscription in values(var.topic.subscriptions) : try(subscription.filter_policy, null) == null ? true : can(keys(jsondecode(subscription.filter_policy)))])
    error_message = "topic.subscriptions has a filter_policy that is no JSON object at ${join(", ", [for key, subscription in var.topic.subscriptions : key if try(subscription.filter_policy, null) == null ? false : !can(keys(jsondecode(subscription.filter_policy)))])}; write it with jsonencode(), over what an alarm's message says, like { AlarmName = [\"…\"] }."
  }

  validation {
    condition = length(setintersection(var.alarm_emails, [
      for subscription in values(var.topic.subscriptions) : try(subscription.protocol == "email" ? subscription.endpoint : "-", "-")
    ])) == 0
    error_message = "topic.subscriptions has an address by email that alarm_emails has too; leave it out of one of them, since AWS keeps one subscription for both."
  }
}

variable "alarms" {
  description = "Alarms: whether to make them, what else they notify, and each one's name, threshold in its metric's unit, period in seconds and whether it tells when it is over."
  type = object({
    create        = optional(bool, true)
    extra_actions = optional(list(string), [])
    write_activity = optional(object({
      name               = optional(string) # DynamoDBWriteActivityAlert
      enabled            = optional(bool, true)
      threshold          = optional(number) # 80 % of what the write units give in a period
      period_seconds     = optional(number, 300)
      evaluation_periods = optional(number, 1)
      notify_ok          = optional(bool, false)
    }), {})
    write_throttle = optional(object({
      name               = optional(string) # DynamoDBWriteThrottleAlert
      enabled            = optional(bool, true)
      threshold          = optional(number) # 1 throttled write
      period_seconds     = optional(number, 60)
      evaluation_periods = optional(number, 1)
      notify_ok          = optional(bool, false)
    }), {})
    failures = optional(object({
      name               = optional(string) # FailureQueueAlert
      enabled            = optional(bool, true)
      threshold          = optional(number) # 1 message
      period_seconds     = optional(number, 60)
      evaluation_periods = optional(number, 1)
      notify_ok          = optional(bool, true)
    }), {})
    errors = optional(object({
      name               = optional(string) # LambdaErrorsAlert
      enabled            = optional(bool, true)
      threshold          = optional(number) # 1 error
      period_seconds     = optional(number, 300)
      evaluation_periods = optional(number, 1)
      notify_ok          = optional(bool, false)
    }), {})
    throttles = optional(object({
      name               = optional(string) # LambdaThrottlesAlert
      enabled            = optional(bool, true)
      threshold          = optional(number) # 1 throttled invoke
      period_seconds     = optional(number, 300)
      evaluation_periods = optional(number, 1)
      notify_ok          = optional(bool, false)
    }), {})
    duration = optional(object({
      name               = optional(string) # LambdaDurationAlert
      enabled            = optional(bool, true)
      threshold          = optional(number) # 80 % of the timeout, in milliseconds
      period_seconds     = optional(number, 300)
      evaluation_periods = optional(number, 1)
      notify_ok          = optional(bool, false)
    }), {})
    event_age = optional(object({
      name               = optional(string) # LambdaEventAgeAlert
      enabled            = optional(bool, true)
      threshold          = optional(number) # 600000 milliseconds, or 80 % of delivery.max_event_age_seconds if that is less
      period_seconds     = optional(number, 300)
      evaluation_periods = optional(number, 1)
      notify_ok          = optional(bool, false)
    }), {})
    delivery_failures = optional(object({
      name               = optional(string) # LambdaDeliveryFailuresAlert
      enabled            = optional(bool, true)
      threshold          = optional(number) # 1 event
      period_seconds     = optional(number, 300)
      evaluation_periods = optional(number, 1)
      notify_ok          = optional(bool, false)
    }), {})
    backlog_age = optional(object({
      name               = optional(string) # BufferBacklogAlert
      enabled            = optional(bool, true)
      threshold          = optional(number) # 600 seconds
      period_seconds     = optional(number, 300)
      evaluation_periods = optional(number, 1)
      notify_ok          = optional(bool, true)
    }), {})
    rule_failures = optional(object({
      name               = optional(string) # RuleFailuresAlert
      enabled            = optional(bool, true)
      threshold          = optional(number) # 1 event
      period_seconds     = optional(number, 300)
      evaluation_periods = optional(number, 1)
      notify_ok          = optional(bool, false)
    }), {})
    silence = optional(object({
      name               = optional(string) # UploadSilenceAlert
      enabled            = optional(bool, false)
      threshold          = optional(number) # fewer than 1 event
      period_seconds     = optional(number, 86400)
      evaluation_periods = optional(number, 1)
      notify_ok          = optional(bool, false)
    }), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = length(var.alarms.extra_actions) <= 4
    error_message = "alarms.extra_actions has ${length(var.alarms.extra_actions)} ARNs; CloudWatch takes 5 actions an alarm, and the topic is one: write at most 4."
  }

  validation {
    condition     = alltrue([for action in var.alarms.extra_actions : can(regex("^arn:[^:]+:[a-z0-9-]+:", action))])
    error_message = "alarms.extra_actions holds ${join(", ", [for action in var.alarms.extra_actions : jsonencode(action) if !can(regex("^arn:[^:]+:[a-z0-9-]+:", action))])}; write ARNs of what CloudWatch can notify, such as SNS topics."
  }
}

variable "dashboard" {
  description = "CloudWatch dashboard of the whole pipeline on one screen; three in an account are free."
  type = object({
    create = optional(bool, false)
    name   = optional(string) # event-driven-pipeline
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.dashboard.name == null ? true : can(regex("^[A-Za-z0-9_-]{1,255}$", var.dashboard.name))
    error_message = "dashboard.name is ${jsonencode(var.dashboard.name)}; write 1 to 255 of A-Z, a-z, 0-9, _ and -."
  }
}

variable "encryption" {
  description = "Whose key encrypts bucket, table, topic, queues and logs: AWS's own and free (service), one customer-managed key made here (create), or an existing one (given)."
  type = object({
    mode        = optional(string, "service")
    kms_key_arn = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["service", "create", "given"], var.encryption.mode)
    error_message = "encryption.mode is \"${var.encryption.mode}\"; write service (free), create or given."
  }

  validation {
    condition = var.encryption.mode == "given" ? var.encryption.kms_key_arn != null : var.encryption.kms_key_arn == null
    error_message = (
      var.encryption.mode == "given"
      ? "encryption.mode is \"given\" and encryption.kms_key_arn is not set; write the ARN of the key."
      : "encryption.kms_key_arn is ${jsonencode(var.encryption.kms_key_arn)} and encryption.mode is \"${var.encryption.mode}\"; set mode = \"given\" to use that key, or leave kms_key_arn out."
    )
  }

  validation {
    condition     = var.encryption.kms_key_arn == null ? true : !can(regex("alias/aws/", var.encryption.kms_key_arn))
    error_message = "encryption.kms_key_arn is ${jsonencode(var.encryption.kms_key_arn)}, a key that AWS manages: its policy lets no other service use it, so that alarms would never reach the topic and S3 and EventBridge no queue; write the ARN of a customer-managed key."
  }

  validation {
    condition     = var.encryption.kms_key_arn == null || can(regex("alias/aws/", var.encryption.kms_key_arn)) ? true : can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.encryption.kms_key_arn))
    error_message = "encryption.kms_key_arn is ${jsonencode(var.encryption.kms_key_arn)}; write the key's own ARN, arn:…:key/…, since neither policies nor log groups take an alias or an id."
  }

  validation {
    condition     = !can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/", var.encryption.kms_key_arn)) ? true : startswith(var.encryption.kms_key_arn, local.kms_arns)
    error_message = "encryption.kms_key_arn is ${jsonencode(var.encryption.kms_key_arn)}; a key serves its own region only: write one that starts with ${local.kms_arns}."
  }
}

variable "free_tier" {
  description = "What to do about settings that leave AWS's always-free limits: warn of them, enforce that there are none, or off; the output free_tier_exceptions lists them in any case."
  type        = string
  default     = "warn"
  nullable    = false

  validation {
    condition     = contains(["warn", "enforce", "off"], var.free_tier)
    error_message = "free_tier is \"${var.free_tier}\"; write warn, enforce or off."
  }
}
