# What each graph shows, column by column in the order in which events travel. Statistics are those
# that the alarms look at; a line is drawn only where it holds for every period.
locals {
  of_rule     = { namespace = "AWS/Events", dimension = "RuleName", value = var.delivery.rule_name }
  of_buffer   = { namespace = "AWS/SQS", dimension = "QueueName", value = var.delivery.buffer_name }
  of_failures = { namespace = "AWS/SQS", dimension = "QueueName", value = var.failure_queue_name }
  of_function = { namespace = "AWS/Lambda", dimension = "FunctionName", value = var.function.name }
  of_table    = { namespace = "AWS/DynamoDB", dimension = "TableName", value = var.table.name }

  common = { shown = true, stat = "Sum", axis = "left", formula = null }
  direct = merge(local.common, { shown = var.delivery.direct, of = local.of_function })
  buffer = merge(local.common, { shown = var.delivery.buffer, of = local.of_buffer })
  rule   = merge(local.common, { shown = var.delivery.rule, of = local.of_rule })

  # A queue that the bucket fills itself has no metric of what was not handed over.
  loses = var.delivery.direct || var.delivery.rule

  definitions = [
    {
      title  = "Events received"
      column = 0
      row    = 0
      rows   = local.loses ? 1 : 2
      left   = "events"
      right  = null
      lines  = []
      metrics = [
        merge(local.rule, { name = "MatchedEvents", label = "matched by the rule" }),
        merge(local.buffer, { name = "NumberOfMessagesSent", label = "sent to the buffer" }),
        merge(local.direct, { name = "AsyncEventsReceived", label = "queued for the function" }),
      ]
    },
    {
      title  = "Given up or not handed over"
      column = 0
      row    = 1
      rows   = 1
      left   = "events"
      right  = null
      lines  = []
      metrics = [
        merge(local.rule, { name = "FailedInvocations", label = "not handed over by the rule" }),
        merge(local.rule, { name = "InvocationsFailedToBeSentToDlq", label = "lost by the rule" }),
        merge(local.direct, { name = "AsyncEventsDropped", label = "given up by Lambda" }),
        merge(local.direct, { name = "DestinationDeliveryFailures", label = "lost by Lambda" }),
      ]
    },
    {
      title  = "Waiting for the function"
      column = 1
      row    = 0
      rows   = 1
      left   = "seconds"
      right  = "messages"
      lines = [
        { label = "alarm", value = try(var.alarms["event_age"].threshold / 1000, null), axis = "left" },
        { label = "alarm: waiting + in flight", value = try(var.alarms["backlog"].threshold, null), axis = "right" },
      ]
      metrics = [
        merge(local.direct, { name = "AsyncEventAge", label = "age of events, s", stat = "Maximum", formula = "%s / 1000" }),
        merge(local.buffer, { name = "ApproximateAgeOfOldestMessage", label = "oldest in the buffer, s", stat = "Maximum" }),
        merge(local.buffer, { name = "ApproximateNumberOfMessagesVisible", label = "waiting (right)", stat = "Maximum", axis = "right" }),
        merge(local.buffer, { name = "ApproximateNumberOfMessagesNotVisible", label = "in flight (right)", stat = "Maximum", axis = "right" }),
      ]
    },
    {
      title  = "Failure queue"
      column = 1
      row    = 1
      rows   = 1
      left   = "messages"
      right  = "seconds"
      lines  = []
      metrics = [
        merge(local.common, { of = local.of_failures, name = "ApproximateNumberOfMessagesVisible", label = "messages", stat = "Maximum" }),
        merge(local.common, { of = local.of_failures, name = "ApproximateAgeOfOldestMessage", label = "oldest, s (right)", stat = "Maximum", axis = "right" }),
      ]
    },
    {
      title  = "Function"
      column = 2
      row    = 0
      rows   = 1
      left   = "invokes"
      right  = "errors, throttles"
      lines  = []
      metrics = [
        merge(local.common, { of = local.of_function, name = "Invocations", label = "invokes" }),
        merge(local.common, { of = local.of_function, name = "Errors", label = "errors (right)", axis = "right" }),
        merge(local.common, { of = local.of_function, name = "Throttles", label = "throttles (right)", axis = "right" }),
      ]
    },
    {
      title  = "Duration of an invoke"
      column = 2
      row    = 1
      rows   = 1
      left   = "milliseconds"
      right  = null
      lines = [
        { label = "timeout", value = var.function.timeout_seconds * 1000, axis = "left" },
        { label = "alarm", value = try(var.alarms["duration"].threshold, null), axis = "left" },
      ]
      metrics = [
        merge(local.common, { of = local.of_function, name = "Duration", label = "p50", stat = "p50" }),
        merge(local.common, { of = local.of_function, name = "Duration", label = "p99", stat = "p99" }),
        merge(local.common, { of = local.of_function, name = "Duration", label = "longest", stat = "Maximum" }),
      ]
    },
    {
      title  = "Writes to the table"
      column = 3
      row    = 0
      rows   = 1
      left   = "units a second"
      right  = null
      lines = [
        { label = "capacity", value = var.table.write_units, axis = "left" },
        {
          label = "alarm"
          value = try(var.alarms["write_activity"].threshold / var.alarms["write_activity"].period_seconds, null)
          axis  = "left"
        },
      ]
      metrics = [
        merge(local.common, { of = local.of_table, name = "ConsumedWriteCapacityUnits", label = "consumed", formula = "%[1]s / PERIOD(%[1]s)" }),
      ]
    },
    {
      title  = "Throttled writes"
      column = 3
      row    = 1
      rows   = 1
      left   = "writes"
      right  = null
      lines  = []
      metrics = [
        merge(local.common, { of = local.of_table, name = "WriteThrottleEvents", label = "throttled" }),
      ]
    },
  ]
}
