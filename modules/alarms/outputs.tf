output "names" {
  description = "Names of the alarms, sorted."
  value       = sort([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_name])
}

output "by_key" {
  description = "Name, threshold in its metric's unit and period in seconds of each alarm, by key."
  value = {
    for key, alarm in aws_cloudwatch_metric_alarm.this : key => {
      name           = alarm.alarm_name
      threshold      = alarm.threshold
      period_seconds = local.given[key].period_seconds
    }
  }
}

output "metrics" {
  description = "How many metrics the alarms watch, which is what they are billed by: metric math counts each of its own."
  value       = length(flatten([for alarm in values(local.wanted) : alarm.sum == null ? [alarm.metric] : alarm.sum]))
}
