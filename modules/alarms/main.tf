# Its key until 2.0.0.
moved {
  from = aws_cloudwatch_metric_alarm.this["backlog_age"]
  to   = aws_cloudwatch_metric_alarm.this["backlog"]
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = nonsensitive(local.wanted)

  alarm_name          = local.names[each.key]
  alarm_description   = each.value.description
  namespace           = each.value.sum == null ? each.value.namespace : null
  metric_name         = each.value.sum == null ? each.value.metric : null
  dimensions          = each.value.sum == null ? each.value.dimensions : null
  statistic           = each.value.sum == null ? each.value.statistic : null
  comparison_operator = each.value.comparison
  threshold           = coalesce(local.given[each.key].threshold, each.value.threshold)
  period              = each.value.sum == null ? local.given[each.key].period_seconds : null
  evaluation_periods  = local.given[each.key].evaluation_periods
  treat_missing_data  = each.value.missing
  alarm_actions       = var.actions
  ok_actions          = local.given[each.key].notify_ok ? var.actions : []
  tags                = var.tags

  dynamic "metric_query" {
    for_each = each.value.sum == null ? [] : [each.value.sum]

    content {
      id    = "total"
      label = join(" + ", metric_query.value)
      # SUM takes what there is, should one of them have no data. FILL would make up datapoints for those that come late.
      expression  = format("SUM([%s])", join(", ", [for number, metric in metric_query.value : "m${number}"]))
      return_data = true
    }
  }

  dynamic "metric_query" {
    for_each = each.value.sum == null ? [] : each.value.sum

    content {
      id          = "m${metric_query.key}"
      return_data = false

      metric {
        namespace   = each.value.namespace
        metric_name = metric_query.value
        dimensions  = each.value.dimensions
        stat        = each.value.statistic
        period      = local.given[each.key].period_seconds
      }
    }
  }

  lifecycle {
    precondition {
      condition = local.given[each.key].period_seconds >= 60 && local.given[each.key].period_seconds % 60 == 0
      error_message = join(" ", [
        "alarms.${each.key}.period_seconds is ${local.given[each.key].period_seconds};",
        "write a multiple of 60 seconds, which is how often AWS's own metrics come.",
      ])
    }

    precondition {
      condition = (
        local.given[each.key].evaluation_periods >= 1
        && floor(local.given[each.key].evaluation_periods) == local.given[each.key].evaluation_periods
        && local.given[each.key].evaluation_periods * local.given[each.key].period_seconds <= local.longest[each.key]
      )
      error_message = join(" ", [
        "alarms.${each.key}.evaluation_periods is ${local.given[each.key].evaluation_periods} of ${local.given[each.key].period_seconds} seconds;",
        "write a whole number, 1 or more, and at most ${local.longest[each.key]} seconds in all.",
      ])
    }

    precondition {
      condition = local.given[each.key].threshold == null ? true : local.given[each.key].threshold > 0
      error_message = join(" ", [
        "alarms.${each.key}.threshold is ${coalesce(local.given[each.key].threshold, 1)};",
        "write a number above 0, or leave it out for the default.",
      ])
    }

    precondition {
      condition     = length([for name in values(local.names) : name if name == local.names[each.key]]) == 1
      error_message = "alarms.${each.key}.name is \"${local.names[each.key]}\", and so is another alarm's; give each a name of its own."
    }

    precondition {
      # By code points: length() takes a letter and its accents for one.
      condition     = local.given[each.key].name == null ? true : length(regexall("(?s).", local.given[each.key].name)) <= 255
      error_message = "alarms.${each.key}.name has ${length(regexall("(?s).", coalesce(local.given[each.key].name, "-")))} characters; write at most 255."
    }
  }
}
