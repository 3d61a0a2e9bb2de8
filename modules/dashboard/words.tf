# What the dashboard says: its heading, which alarms it lists and what it asks the log.
locals {
  stages = [
    for stage in [
      { shown = length(var.bucket_names) == 1, text = "bucket `${var.bucket_names[0]}`" },
      { shown = length(var.bucket_names) > 1, text = "buckets ${join(", ", [for name in var.bucket_names : "`${name}`"])}" },
      { shown = var.delivery.rule, text = "rule `${var.delivery.rule_name}`" },
      { shown = var.delivery.buffer, text = "buffer `${var.delivery.buffer_name}`" },
      { shown = true, text = "function `${var.function.name}`" },
      { shown = true, text = "table `${var.table.name}`" },
    ] : stage.text if stage.shown
  ]

  explanation = join("\n\n", [
    "**${join(" → ", local.stages)}**",
    join(" ", [
      "Left to right: what comes in, what waits, the function, the table. **Upper row**: how much flows.",
      "**Lower row**: what was given up, failed, took long or was refused.",
    ]),
    "What keeps failing ends in the failure queue `${var.failure_queue_name}`; the log at the bottom says why.",
  ])

  alarm_arns = [for alarm in values(var.alarms) : alarm.arn]

  # Lines of our handler have `reason`; those of the runtime `errorMessage`, and older runtimes call
  # the level `log_level`. A timeout or a crash shows in Lambda's own report only.
  query = join("\n| ", [
    "SOURCE '${var.log_group_name}'",
    join(", ", [
      "fields @timestamp",
      "coalesce(message, errorType, record.errorType, type) as what",
      "coalesce(reason, errorMessage, record.status) as why",
      "bucket",
      "key",
      "coalesce(requestId, record.requestId) as request",
    ]),
    join(" or ", [
      "filter level in [\"ERROR\", \"FATAL\"]",
      "log_level = \"ERROR\"",
      "(type in [\"platform.report\", \"platform.initReport\"] and record.status != \"success\")",
    ]),
    "sort @timestamp desc",
    "limit 50",
  ])
}
