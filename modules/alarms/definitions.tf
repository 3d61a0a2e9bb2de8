# What each alarm watches. A threshold here is the default, in the metric's own unit.
locals {
  wanted = {
    for key, alarm in local.definitions : key => merge(local.common, alarm)
    if var.alarms[key].enabled && contains(local.in_use, key)
  }
  given = { for key, alarm in local.wanted : key => var.alarms[key] }
  names = { for key, alarm in local.wanted : key => coalesce(var.alarms[key].name, "${var.prefix}${alarm.name}") }

  # CloudWatch looks back a day at most, or a week where periods are an hour or longer.
  longest = { for key, alarm in local.given : key => alarm.period_seconds >= 3600 ? 604800 : 86400 }

  common = {
    statistic  = "Sum"
    comparison = "GreaterThanOrEqualToThreshold"
    threshold  = 1
    missing    = "notBreaching"
    metric     = null
    sum        = null # of these metrics instead of one
  }

  in_use = concat(
    ["write_throttle", "failures", "errors", "throttles", "duration", "silence"],
    # A table that takes what comes has no capacity to come near to. Elsewhere a threshold may be unknown at plan.
    (var.on_demand ? var.alarms["write_activity"].threshold != null : true) ? ["write_activity"] : [],
    var.delivery.direct ? ["event_age", "dropped", "delivery_failures"] : [],
    var.delivery.buffer ? ["backlog"] : [],
    var.delivery.rule ? ["rule_failures"] : [],
  )

  of_table    = { TableName = var.table_name }
  of_function = { FunctionName = var.function_name }
  of_buffer   = { QueueName = var.delivery.buffer_name }
  of_rule     = { RuleName = var.delivery.rule_name }

  # Where events are counted first.
  received = (
    var.delivery.rule_takes_all
    ? { namespace = "AWS/Events", metric = "MatchedEvents", dimensions = local.of_rule }
    : !var.delivery.direct
    ? { namespace = "AWS/SQS", metric = "NumberOfMessagesSent", dimensions = local.of_buffer }
    : { namespace = "AWS/Lambda", metric = "AsyncEventsReceived", dimensions = local.of_function }
  )

  definitions = {
    write_activity = {
      name = "DynamoDBWriteActivityAlert"
      description = (
        !var.on_demand
        ? "The event table takes nearly as many writes as its capacity allows: raise table.write_units or find out who uploads so much."
        : "The event table takes as many writes as the threshold that was given: find out who uploads so much."
      )
      namespace  = "AWS/DynamoDB"
      metric     = "ConsumedWriteCapacityUnits"
      dimensions = local.of_table
      threshold  = 0.8 * var.write_units * var.alarms["write_activity"].period_seconds
    }
    write_throttle = {
      name = "DynamoDBWriteThrottleAlert"
      description = (
        !var.on_demand
        ? "The event table refused writes for want of capacity: they are retried; raise table.write_units if this stays."
        : "The event table refused writes beyond what it takes on demand: they are retried."
      )
      namespace  = "AWS/DynamoDB"
      metric     = "WriteThrottleEvents"
      dimensions = local.of_table
    }
    failures = {
      name        = "FailureQueueAlert"
      description = "Events that could not be recorded wait in the failure queue: find the cause in the function's log, then replay them."
      namespace   = "AWS/SQS"
      metric      = "ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = var.failure_queue_name }
      statistic   = "Maximum"
    }
    errors = {
      name        = "LambdaErrorsAlert"
      description = "The function failed: its log names each record and the reason."
      namespace   = "AWS/Lambda"
      metric      = "Errors"
      dimensions  = local.of_function
    }
    throttles = {
      name        = "LambdaThrottlesAlert"
      description = "Lambda refused to start the function: the account's or the function's concurrency is used up."
      namespace   = "AWS/Lambda"
      metric      = "Throttles"
      dimensions  = local.of_function
    }
    duration = {
      name        = "LambdaDurationAlert"
      description = "The function ran nearly into its timeout (threshold in milliseconds)."
      namespace   = "AWS/Lambda"
      metric      = "Duration"
      dimensions  = local.of_function
      statistic   = "Maximum"
      threshold   = 0.8 * var.timeout_seconds * 1000
    }
    event_age = {
      name        = "LambdaEventAgeAlert"
      description = "Events wait long before the function gets them (threshold in milliseconds); they expire after delivery.max_event_age_seconds."
      namespace   = "AWS/Lambda"
      metric      = "AsyncEventAge"
      dimensions  = local.of_function
      statistic   = "Maximum"
      threshold   = min(600, 0.8 * var.max_event_age_seconds) * 1000
    }
    dropped = {
      name = "LambdaEventsDroppedAlert"
      description = join(" ", [
        "Lambda gave events up: they are in the failure queue, or lost where Lambda dropped them without a trace.",
        "Find the cause in the function's log, replay, then run pipeline reconcile.",
      ])
      namespace  = "AWS/Lambda"
      metric     = "AsyncEventsDropped"
      dimensions = local.of_function
    }
    delivery_failures = {
      name        = "LambdaDeliveryFailuresAlert"
      description = "A failed event could not be handed to the failure queue and is lost: check the role's policy and the queue."
      namespace   = "AWS/Lambda"
      metric      = "DestinationDeliveryFailures"
      dimensions  = local.of_function
    }
    backlog = {
      name        = "BufferBacklogAlert"
      description = "Events stay in the buffer, waiting or in flight (threshold in messages): the function fails, is paused, or can't keep up."
      namespace   = "AWS/SQS"
      # A message that fails is in flight most of the time, and SQS no longer counts its age after three receives.
      sum        = ["ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible"]
      dimensions = local.of_buffer
      statistic  = "Maximum"
      # More than the table takes while Lambda gathers a batch, and a second for the function.
      threshold = var.on_demand ? 100 : var.write_units * (var.delivery.buffer_window_seconds + 1)
    }
    rule_failures = {
      name = "RuleFailuresAlert"
      description = join(" ", [
        "EventBridge could not hand events over: they are in the failure queue, or lost where even that failed.",
        "Check what the function and the queues admit.",
      ])
      namespace = "AWS/Events"
      # What could not even be sent to the failure queue has failed too, and each metric more is billed.
      metric     = "FailedInvocations"
      dimensions = local.of_rule
    }
    silence = {
      name        = "UploadSilenceAlert"
      description = "No event came for as long as the alarm's period."
      namespace   = local.received.namespace
      metric      = local.received.metric
      dimensions  = local.received.dimensions
      comparison  = "LessThanThreshold"
      missing     = "breaching"
    }
  }
}
