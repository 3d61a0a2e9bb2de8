output "names" {
  description = "Names of the alarms, sorted."
  value       = sort(concat(values(aws_cloudwatch_metric_alarm.this)[*].alarm_name, aws_cloudwatch_composite_alarm.health[*].alarm_name))
}

output "by_key" {
  description = "Name, threshold in its metric's unit and period in seconds of each alarm, by key; health has its name only."
  value = merge(
    {
      for key, alarm in aws_cloudwatch_metric_alarm.this : key => {
        name           = alarm.alarm_name
        threshold      = alarm.threshold
        period_seconds = local.given[key].period_seconds
      }
    },
    { for alarm in aws_cloudwatch_composite_alarm.health : "health" => { name = alarm.alarm_name, threshold = null, period_seconds = null } },
  )
}

output "metrics" {
  description = "How many metrics the alarms watch themselves, which is what they are billed by: metric math counts each of its own."
  value       = length(flatten([for alarm in values(local.wanted) : alarm.sum == null ? [alarm.metric] : alarm.sum]))
}
