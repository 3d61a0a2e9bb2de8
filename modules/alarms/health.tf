locals {
  health_name = coalesce(var.health.name, "${var.prefix}pipeline_health")

  # The other two warn of load, while every upload still becomes a record.
  health_watches = sort([
    for key, alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_name if !contains(["write_activity", "duration"], key)
  ])
}

resource "terraform_data" "health_watches" {
  count = nonsensitive(var.health.enabled) ? 1 : 0

  input = local.health_watches
}

resource "aws_cloudwatch_composite_alarm" "health" {
  count = nonsensitive(var.health.enabled) ? 1 : 0

  alarm_name        = local.health_name
  alarm_description = "Uploads may not become records: an alarm that says so is on. Its name is in the reason; the runbook has a section on each."
  alarm_rule        = join(" OR ", [for name in local.health_watches : format("ALARM(\"%s\")", replace(name, "/([\"\\\\])/", "\\$1"))])
  alarm_actions     = var.actions
  ok_actions        = var.health.notify_ok ? var.actions : []
  tags              = var.tags

  lifecycle {
    # CloudWatch deletes no alarm that a rule names, and Terraform changes the rule after the deletion. So this alarm goes first, and comes back.
    replace_triggered_by = [terraform_data.health_watches]

    precondition {
      condition     = length(local.health_watches) > 0
      error_message = "alarms.health watches the other alarms, and each that it could is switched off: leave one on, such as alarms.failures, or health off."
    }

    precondition {
      condition     = !contains(values(local.names), local.health_name)
      error_message = "alarms.health.name is \"${local.health_name}\", and so is another alarm's; give each a name of its own."
    }

    precondition {
      # By code points: length() takes a letter and its accents for one.
      condition     = length(regexall("(?s).", local.health_name)) <= 255
      error_message = "alarms.health.name has ${length(regexall("(?s).", local.health_name))} characters; write at most 255."
    }
  }
}
