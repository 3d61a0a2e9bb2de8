variable "alarms" {
  # BEGIN description
  description = <<-EOT
    The CloudWatch alarms on the pipeline, what they notify beside the topic, and when each goes off.

    - `create` (`true`): Whether the module makes any alarm. Known at plan.
    - `extra_actions` (`[]`): ARNs that each alarm notifies beside the topic, 4 at most, such as other SNS topics.
    - `write_activity`: The table takes nearly as many writes as its write units allow. With `PAY_PER_REQUEST`, made
      only where the plan knows a `threshold`.
    - `write_throttle`: The table refused writes because its capacity was used up.
    - `failures`: Events that could not be recorded are in the failure queue.
    - `errors`: Invokes of the function failed.
    - `throttles`: Lambda could not run the function because the account's or the function's concurrency was used up.
    - `duration`: The longest invoke came close to the timeout.
    - `event_age`: Events wait long in Lambda before the function gets them. Made only where events reach the function
      without a buffer, or past one that drains.
    - `dropped`: Lambda gave events up. They are in the failure queue, unless Lambda lost them. Made where `event_age`
      is.
    - `delivery_failures`: Events that failed could not be sent to the failure queue and are lost. Made where
      `event_age` is.
    - `backlog`: Events stay in the buffer, waiting or in flight. Made only with a buffer; it counts as two of the
      metrics that are billed.
    - `backlog_age` (`null`): Refused since 2.0.0: write `backlog`, whose threshold is in messages.
    - `rule_failures`: EventBridge could not deliver events to the function or the buffer. Made only with a rule.
    - `silence`: No event came. Set `enabled` where uploads are regular, with a period longer than their longest pause.
    - `health`: One alarm for uploads that may not become records: it goes off with any of the others but
      `write_activity` and `duration`, which warn of load. Set `enabled` to be paged by one alarm; it costs money.
      - `name` (`pipeline_health`): Name of the alarm, 255 characters at most.
      - `enabled` (`false`): Whether the module makes the alarm. Known at plan.
      - `notify_ok` (`true`): Whether the alarm also notifies when it is over.

    `write_activity`, `write_throttle`, `failures`, `errors`, `throttles`, `duration`, `event_age`, `dropped`,
    `delivery_failures`, `backlog`, `rule_failures` and `silence` have these attributes:

    - `name`: Name of the alarm, 255 characters at most.
    - `enabled`: Whether the module makes the alarm. Known at plan.
    - `threshold`: What the metric reaches in a period when the alarm goes off, in the metric's own unit; above 0.
      `silence` goes off below it.
    - `period_seconds`: Length of a period in seconds, a multiple of 60.
    - `evaluation_periods`: Periods in a row that must reach the threshold. In all they take a day at most, or a week
      where a period is an hour or longer.
    - `notify_ok`: Whether the alarm also notifies when it is over.
  EOT
  # END description
  type = object({
    # Whether the module makes any alarm. Known at plan.
    create = optional(bool, true)
    # ARNs that each alarm notifies beside the topic, 4 at most, such as other SNS topics.
    extra_actions = optional(list(string), [])
    # The table takes nearly as many writes as its write units allow. With `PAY_PER_REQUEST`, made only where the plan knows a `threshold`.
    write_activity = optional(object({
      # Name of the alarm, 255 characters at most.
      name = optional(string) # `DynamoDBWriteActivityAlert`
      # Whether the module makes the alarm. Known at plan.
      enabled = optional(bool, true)
      # What the metric reaches in a period when the alarm goes off, in the metric's own unit; above 0. `silence` goes off below it.
      threshold = optional(number) # 80 % of what the write units give in a period
      # Length of a period in seconds, a multiple of 60.
      period_seconds = optional(number, 300)
      # Periods in a row that must reach the threshold. In all they take a day at most, or a week where a period is an hour or longer.
      evaluation_periods = optional(number, 1)
      # Whether the alarm also notifies when it is over.
      notify_ok = optional(bool, false)
    }), {})
    # The table refused writes because its capacity was used up.
    write_throttle = optional(object({
      name               = optional(string) # `DynamoDBWriteThrottleAlert`
      enabled            = optional(bool, true)
      threshold          = optional(number) # 1 throttled write
      period_seconds     = optional(number, 60)
      evaluation_periods = optional(number, 1)
      notify_ok          = optional(bool, false)
    }), {})
    # Events that could not be recorded are in the failure queue.
    failures = optional(object({
      name               = optional(string) # `FailureQueueAlert`
      enabled            = optional(bool, true)
      threshold          = optional(number) # 1 message
      period_seconds     = optional(number, 60)
      evaluation_periods = optional(number, 1)
      notify_ok          = optional(bool, true)
    }), {})
    # Invokes of the function failed.
    errors = optional(object({
      name               = optional(string) # `LambdaErrorsAlert`
      enabled            = optional(bool, true)
      threshold          = optional(number) # 1 error
      period_seconds     = optional(number, 300)
      evaluation_periods = optional(number, 1)
      notify_ok          = optional(bool, false)
    }), {})
    # Lambda could not run the function because the account's or the function's concurrency was used up.
    throttles = optional(object({
      name               = optional(string) # `LambdaThrottlesAlert`
      enabled            = optional(bool, true)
      threshold          = optional(number) # 1 throttled invoke
      period_seconds     = optional(number, 300)
      evaluation_periods = optional(number, 1)
      notify_ok          = optional(bool, false)
    }), {})
    # The longest invoke came close to the timeout.
    duration = optional(object({
      name               = optional(string) # `LambdaDurationAlert`
      enabled            = optional(bool, true)
      threshold          = optional(number) # 80 % of the timeout, in milliseconds
      period_seconds     = optional(number, 300)
      evaluation_periods = optional(number, 1)
      notify_ok          = optional(bool, false)
    }), {})
    # Events wait long in Lambda before the function gets them. Made only where events reach the function without a buffer, or past one that drains.
    event_age = optional(object({
      name               = optional(string) # `LambdaEventAgeAlert`
      enabled            = optional(bool, true)
      threshold          = optional(number) # 600000 milliseconds, or 80 % of `delivery.max_event_age_seconds` if that is less
      period_seconds     = optional(number, 300)
      evaluation_periods = optional(number, 1)
      notify_ok          = optional(bool, false)
    }), {})
    # Lambda gave events up. They are in the failure queue, unless Lambda lost them. Made where `event_age` is.
    dropped = optional(object({
      name               = optional(string) # `LambdaEventsDroppedAlert`
      enabled            = optional(bool, true)
      threshold          = optional(number) # 1 event
      period_seconds     = optional(number, 300)
      evaluation_periods = optional(number, 1)
      notify_ok          = optional(bool, false)
    }), {})
    # Events that failed could not be sent to the failure queue and are lost. Made where `event_age` is.
    delivery_failures = optional(object({
      name               = optional(string) # `LambdaDeliveryFailuresAlert`
      enabled            = optional(bool, true)
      threshold          = optional(number) # 1 event
      period_seconds     = optional(number, 300)
      evaluation_periods = optional(number, 1)
      notify_ok          = optional(bool, false)
    }), {})
    # Events stay in the buffer, waiting or in flight. Made only with a buffer; it counts as two of the metrics that are billed.
    backlog = optional(object({
      name               = optional(string) # `BufferBacklogAlert`
      enabled            = optional(bool, true)
      threshold          = optional(number) # messages: `table.write_units` times `buffer.window_seconds` and one, or 100 with `PAY_PER_REQUEST`
      period_seconds     = optional(number, 60)
      evaluation_periods = optional(number, 5)
      notify_ok          = optional(bool, true)
    }), {})
    # Refused since 2.0.0: write `backlog`, whose threshold is in messages.
    backlog_age = optional(object({}))
    # EventBridge could not deliver events to the function or the buffer. Made only with a rule.
    rule_failures = optional(object({
      name               = optional(string) # `RuleFailuresAlert`
      enabled            = optional(bool, true)
      threshold          = optional(number) # 1 event
      period_seconds     = optional(number, 300)
      evaluation_periods = optional(number, 1)
      notify_ok          = optional(bool, false)
    }), {})
    # No event came. Set `enabled` where uploads are regular, with a period longer than their longest pause.
    silence = optional(object({
      name               = optional(string) # `UploadSilenceAlert`
      enabled            = optional(bool, false)
      threshold          = optional(number) # fewer than 1 event
      period_seconds     = optional(number, 86400)
      evaluation_periods = optional(number, 1)
      notify_ok          = optional(bool, false)
    }), {})
    # One alarm for uploads that may not become records: it goes off with any of the others but `write_activity` and `duration`, which warn of load.
    # Set `enabled` to be paged by one alarm; it costs money.
    health = optional(object({
      # Name of the alarm, 255 characters at most.
      name = optional(string) # `pipeline_health`
      # Whether the module makes the alarm. Known at plan.
      enabled = optional(bool, false)
      # Whether the alarm also notifies when it is over.
      notify_ok = optional(bool, true)
    }), {})
  })
  default  = {}
  nullable = false

  validation {
    condition = var.alarms.backlog_age == null
    error_message = join(" ", [
      "alarms.backlog_age is alarms.backlog since 2.0.0: write that one instead.",
      "Its threshold is in messages, waiting and in flight, and was in seconds; its periods are of 60 seconds, 5 in a row.",
    ])
  }

  validation {
    condition = length(var.alarms.extra_actions) <= 4
    error_message = join(" ", [
      "alarms.extra_actions has ${length(var.alarms.extra_actions)} ARNs;",
      "CloudWatch takes 5 actions an alarm, and the topic is one: write at most 4.",
    ])
  }

  validation {
    condition = alltrue([for action in var.alarms.extra_actions : can(regex("^arn:[^:]+:[a-z0-9-]+:", action))])
    error_message = format(
      "alarms.extra_actions holds %s; write ARNs of what CloudWatch can notify, such as SNS topics.",
      join(", ", [for action in var.alarms.extra_actions : jsonencode(action) if !can(regex("^arn:[^:]+:[a-z0-9-]+:", action))]),
    )
  }
}
