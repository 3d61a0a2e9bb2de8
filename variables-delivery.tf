variable "delivery" {
  # BEGIN description
  description = <<-EOT
    How events reach the function: from which source, which of them, with or without a queue in between, and what happens to those that fail.

    - `via` (`"notification"`): How events leave the bucket: `notification`, which is free, or `eventbridge`, which
      costs money for every event of the bucket. Take `eventbridge` where others configure the bucket's notifications.
      On a running pipeline, change it with `handover`. Known at plan.
    - `filters` (`[{prefix = "", suffix = ""}]`): Which events are delivered: those that match one of these filters, 100
      at most. Filters that could match the same event are refused.
      - `prefix` (required): What the object's key begins with, written as the key is; `""` for any.
      - `suffix` (required): What the object's key ends with, written as the key is; `""` for any.
      - `events` (`["s3:ObjectCreated:*"]`): S3 event types, like `s3:ObjectCreated:Put` or `s3:ObjectRemoved:*`.
        EventBridge does not carry all of them.
    - `buckets` (`[]`): Names of further existing buckets, all by EventBridge, which costs money for every event of
      theirs: switch it on there. They are in this region, in this account or in one of `accounts`. `filters` are for
      all. How many there are must be known at plan.
    - `accounts` (`[]`): Ids of other accounts, 40 at most, of whose buckets in `buckets` a rule there sends the events
      to this account's default event bus. Known at plan.
    - `handover` (`false`): Whether events leave the bucket in both ways at once. Set it while you change `via` on a
      running pipeline, so that no upload is lost. An event that arrives twice leaves one record. Known at plan.
    - `paused` (`false`): Whether the function is stopped. With a buffer, events wait there for up to
      `buffer.retention_days`. Without one, or while it drains, new events go to the failure queue.
    - `max_retries` (`2`): How often Lambda invokes the function again for an event that failed: 0, 1 or 2 times.
      Without a buffer only.
    - `max_event_age_seconds` (`21600`): Seconds that an event may wait in Lambda, retries included, before it goes to
      the failure queue, 60 to 21600. Without a buffer only.
    - `failure_queue_name` (`event-driven-failures`): Name of the SQS queue that keeps, for 14 days, the events that
      could not be recorded. On a running pipeline the plan refuses another name, which would make a new, empty queue.
    - `rule_name` (`event-driven-uploads`): Name of the EventBridge rule, which exists with `via = "eventbridge"`, with
      `buckets` and during a handover.
    - `buffer` (`null`): An SQS queue between source and function; `null` delivers without one, `{}` takes the defaults
      below. Set it where bursts exceed the table's capacity, where invokes at a time must be limited, or where you want
      to pause. Whether it is `null` must be known at plan.
      - `name` (`event-driven-buffer`): Name of the queue. On a running pipeline the plan refuses another name, which
        would make a new, empty queue.
      - `batch_size` (`100`): Messages in one invoke at most, 1 to 10000. More than 10 need `window_seconds` of 1 or
        more.
      - `window_seconds` (`5`): Seconds that Lambda waits for a batch to fill, 0 to 300. A record comes up to that much
        later.
      - `max_concurrency` (`null`): Invokes at a time at most, 2 to 1000; `null` sets no limit beside
        `function.reserved_concurrency`. Lower it when the function writes faster than the table's capacity allows.
      - `max_receive_count` (`5`): How often a message is received, 1 to 1000, before it goes to the failure queue.
      - `retention_days` (`4`): Days that a message may wait in the queue, 1 to 14. SQS then deletes it, and the event
        is lost.
      - `drain` (`false`): Whether new events bypass the queue while the function still reads it. Set it before you
        remove `buffer`: a queue is deleted with its messages. Known at plan.
  EOT
  # END description
  type = object({
    # How events leave the bucket: `notification`, which is free, or `eventbridge`, which costs money for every event of the bucket.
    # Take `eventbridge` where others configure the bucket's notifications. On a running pipeline, change it with `handover`. Known at plan.
    via = optional(string, "notification")
    # Which events are delivered: those that match one of these filters, 100 at most. Filters that could match the same event are refused.
    filters = optional(list(object({
      # What the object's key begins with, written as the key is; `""` for any.
      prefix = string
      # What the object's key ends with, written as the key is; `""` for any.
      suffix = string
      # S3 event types, like `s3:ObjectCreated:Put` or `s3:ObjectRemoved:*`. EventBridge does not carry all of them.
      events = optional(list(string), ["s3:ObjectCreated:*"])
    })), [{ prefix = "", suffix = "" }])
    # Names of further existing buckets, all by EventBridge, which costs money for every event of theirs: switch it on there.
    # They are in this region, in this account or in one of `accounts`. `filters` are for all. How many there are must be known at plan.
    buckets = optional(list(string), [])
    # Ids of other accounts, 40 at most, of whose buckets in `buckets` a rule there sends the events to this account's default event bus. Known at plan.
    accounts = optional(list(string), [])
    # Whether events leave the bucket in both ways at once. Set it while you change `via` on a running pipeline, so that no upload is lost.
    # An event that arrives twice leaves one record. Known at plan.
    handover = optional(bool, false)
    # Whether the function is stopped. With a buffer, events wait there for up to `buffer.retention_days`.
    # Without one, or while it drains, new events go to the failure queue.
    paused = optional(bool, false)
    # How often Lambda invokes the function again for an event that failed: 0, 1 or 2 times. Without a buffer only.
    max_retries = optional(number, 2)
    # Seconds that an event may wait in Lambda, retries included, before it goes to the failure queue, 60 to 21600. Without a buffer only.
    max_event_age_seconds = optional(number, 21600)
    # Name of the SQS queue that keeps, for 14 days, the events that could not be recorded.
    # On a running pipeline the plan refuses another name, which would make a new, empty queue.
    failure_queue_name = optional(string) # `event-driven-failures`
    # Name of the EventBridge rule, which exists with `via = "eventbridge"`, with `buckets` and during a handover.
    rule_name = optional(string) # `event-driven-uploads`
    # An SQS queue between source and function; `null` delivers without one, `{}` takes the defaults below.
    # Set it where bursts exceed the table's capacity, where invokes at a time must be limited, or where you want to pause.
    # Whether it is `null` must be known at plan.
    buffer = optional(object({
      # Name of the queue. On a running pipeline the plan refuses another name, which would make a new, empty queue.
      name = optional(string) # `event-driven-buffer`
      # Messages in one invoke at most, 1 to 10000. More than 10 need `window_seconds` of 1 or more.
      batch_size = optional(number, 100)
      # Seconds that Lambda waits for a batch to fill, 0 to 300. A record comes up to that much later.
      window_seconds = optional(number, 5)
      # Invokes at a time at most, 2 to 1000; `null` sets no limit beside `function.reserved_concurrency`.
      # Lower it when the function writes faster than the table's capacity allows.
      max_concurrency = optional(number)
      # How often a message is received, 1 to 1000, before it goes to the failure queue.
      max_receive_count = optional(number, 5)
      # Days that a message may wait in the queue, 1 to 14. SQS then deletes it, and the event is lost.
      retention_days = optional(number, 4)
      # Whether new events bypass the queue while the function still reads it. Set it before you remove `buffer`: a queue is deleted with its messages.
      # Known at plan.
      drain = optional(bool, false)
    }))
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["notification", "eventbridge"], var.delivery.via)
    error_message = "delivery.via is \"${var.delivery.via}\"; write \"notification\" or \"eventbridge\"."
  }

  validation {
    condition = length(var.delivery.filters) > 0
    error_message = join(" ", [
      "delivery.filters is empty, so that nothing would be delivered;",
      "leave it out to take everything, or write [{ prefix = \"\", suffix = \"\" }].",
    ])
  }

  validation {
    condition     = alltrue([for filter in var.delivery.filters : filter == null ? false : filter.prefix != null && filter.suffix != null])
    error_message = "delivery.filters[].prefix or .suffix is null; write \"\" for any."
  }

  validation {
    condition     = length(var.delivery.filters) <= 100
    error_message = "delivery.filters has ${length(var.delivery.filters)} filters; S3 takes 100 at most."
  }

  # Encoded, since AWS does not say what it counts; a key has 1024 bytes, and each becomes a character or three.
  validation {
    condition = alltrue(flatten([
      for filter in var.delivery.filters : [
        for text in try([filter.prefix, filter.suffix], []) : try(length(replace(urlencode(text), local.unencoded_marks, "-")) <= 1024, true)
      ]
    ]))
    error_message = format(
      "delivery.filters has prefixes or suffixes of %s characters once they are encoded for S3; it takes 1024.",
      join(", ", flatten([
        for filter in var.delivery.filters : [
          for text in try([filter.prefix, filter.suffix], []) : try(length(replace(urlencode(text), local.unencoded_marks, "-")), 0)
          if try(length(replace(urlencode(text), local.unencoded_marks, "-")) > 1024, false)
        ]
      ])),
    )
  }

  validation {
    condition = alltrue(flatten([
      for filter in var.delivery.filters : [
        try(length(filter.events) > 0, true),
        [for event in try(filter.events, []) : contains(local.notification_events, coalesce(event, "null"))],
      ]
    ]))
    error_message = join("", [
      "delivery.filters[].events holds ",
      join(", ", flatten([
        for filter in var.delivery.filters : try(length(filter.events), 1) == 0 ? ["nothing"] : [
          for event in try(filter.events, []) : jsonencode(event) if !contains(local.notification_events, coalesce(event, "null"))
        ]
      ])),
      "; write S3 event types, like \"s3:ObjectCreated:*\" or \"s3:ObjectRemoved:Delete\".",
    ])
  }

  validation {
    condition = var.delivery.via == "notification" && !var.delivery.handover && length(var.delivery.buckets) == 0 ? true : alltrue(flatten([
      for filter in var.delivery.filters : [
        for event in try(filter.events, []) :
        contains(local.eventbridge_events, coalesce(event, "null")) || !contains(local.notification_events, coalesce(event, "null"))
      ]
    ]))
    error_message = join("", [
      "delivery.filters[].events holds ",
      join(", ", distinct(flatten([
        for filter in var.delivery.filters : [
          for event in try(filter.events, []) : jsonencode(event) if !contains(local.eventbridge_events, coalesce(event, "null"))
        ]
      ]))),
      ", which S3 does not send to EventBridge; leave it out, or deliver by notification",
      length(var.delivery.buckets) > 0 ? " and without delivery.buckets." : ".",
    ])
  }

  validation {
    condition = alltrue([
      for bucket in var.delivery.buckets : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", bucket)) && !strcontains(bucket, "..")
    ])
    error_message = format(
      "delivery.buckets holds %s; write names of buckets.",
      join(", ", [
        for bucket in var.delivery.buckets : jsonencode(bucket)
        if !can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", bucket)) || strcontains(bucket, "..")
      ]),
    )
  }

  validation {
    condition = alltrue([for id in var.delivery.accounts : can(regex("^[0-9]{12}$", id))])
    error_message = format(
      "delivery.accounts holds %s; write ids of AWS accounts, 12 digits in quotes.",
      join(", ", [for id in var.delivery.accounts : jsonencode(id) if !can(regex("^[0-9]{12}$", id))]),
    )
  }

  validation {
    condition = alltrue([for list in [var.delivery.buckets, var.delivery.accounts] : length(distinct(list)) == length(list)])
    error_message = format(
      "delivery.buckets or delivery.accounts holds %s twice; write each once.",
      join(", ", distinct(flatten([
        for list in [var.delivery.buckets, var.delivery.accounts] : [
          for each in list : jsonencode(each) if length([for other in list : other if other == each]) > 1
        ]
      ]))),
    )
  }

  validation {
    condition = !contains(var.delivery.accounts, local.account_id)
    error_message = join(" ", [
      "delivery.accounts holds \"${local.account_id}\", the pipeline's own account, whose buckets send to its event bus anyway;",
      "leave it out.",
    ])
  }

  # A statement with the longest id has some 240 characters, of the 10240 of a bus's policy.
  validation {
    condition     = length(var.delivery.accounts) <= 40
    error_message = "delivery.accounts has ${length(var.delivery.accounts)} ids, more than an event bus's policy has room for; write 40 at most."
  }

  validation {
    condition = length(var.delivery.accounts) == 0 || length(var.delivery.buckets) > 0
    error_message = join(" ", [
      "delivery.accounts is set and delivery.buckets is not, so that no event of theirs would be taken;",
      "name their buckets in delivery.buckets.",
    ])
  }

  validation {
    condition = alltrue([
      for name, bound in local.bounds.delivery : var.delivery[name] == min(max(floor(var.delivery[name]), bound.least), bound.most)
    ])
    error_message = join("\n", [
      for name, bound in local.bounds.delivery : "delivery.${name} is ${var.delivery[name]}; write ${bound.write}."
      if var.delivery[name] != min(max(floor(var.delivery[name]), bound.least), bound.most)
    ])
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
    condition     = try(var.delivery.buffer.name, null) == null ? true : can(regex("^[A-Za-z0-9_-]{1,80}$", var.delivery.buffer.name))
    error_message = "delivery.buffer.name is ${jsonencode(try(var.delivery.buffer.name, null))}; write 1 to 80 of A-Z, a-z, 0-9, _ and -."
  }

  # True where there is no buffer, or the attribute is null.
  validation {
    condition = alltrue([
      for name, bound in local.bounds.buffer :
      try(var.delivery.buffer[name] == min(max(floor(var.delivery.buffer[name]), bound.least), bound.most), true)
    ])
    error_message = join("\n", [
      for name, bound in local.bounds.buffer : "delivery.buffer.${name} is ${var.delivery.buffer[name]}; write ${bound.write}."
      if !try(var.delivery.buffer[name] == min(max(floor(var.delivery.buffer[name]), bound.least), bound.most), true)
    ])
  }

  validation {
    condition = var.delivery.buffer == null ? true : var.delivery.buffer.batch_size <= 10 || var.delivery.buffer.window_seconds >= 1
    error_message = join(" ", [
      "delivery.buffer.batch_size is ${try(var.delivery.buffer.batch_size, 100)}",
      "and delivery.buffer.window_seconds is ${try(var.delivery.buffer.window_seconds, 5)};",
      "Lambda gathers more than 10 messages only in a window of 1 second or more: raise window_seconds, or write batch_size = 10.",
    ])
  }
}
