# Which settings leave the always-free limits, and what they cost: limits and prices are prices.json's.
locals {
  price_list = jsondecode(file("${path.module}/prices.json"))
  items      = local.price_list.items

  # As people write them: 1,000,000 and $0.10, $0.625, $5.
  amounts = {
    for name in ["free", "per"] : name => {
      for key, item in local.items : key =>
      replace(replace(coalesce(item[name], 0), "/([0-9])([0-9]{3})$/", "$1,$2"), "/([0-9])([0-9]{3}),/", "$1,$2,")
    }
  }
  money = {
    for key, item in local.items : key =>
    can(regex("^[0-9]+([.][0-9]{2,})?$", item.price)) ? format("$%s", item.price) : try(format("$%.2f", item.price), "")
  }

  # An index reserves as much as its table.
  reserved = var.table.billing_mode == "PROVISIONED" ? (var.table.object_index ? 2 : 1) : 0
  units = {
    for name in ["write_units", "read_units"] : name => {
      given  = var.table[name]
      beyond = max(0, local.reserved * var.table[name] - local.items["dynamodb_${name}"].free)
      price  = local.items["dynamodb_${name}"].price * local.price_list.hours_a_month
      free   = local.amounts.free["dynamodb_${name}"]
    }
  }
  # Why S3 sends events to EventBridge.
  emitted_for = (
    var.delivery.via == "eventbridge" ? "delivery.via is eventbridge"
    : var.delivery.handover ? "delivery.handover is true" : "bucket.eventbridge is true"
  )
  alarms_beyond = max(0, module.alarms.metrics - local.items.cloudwatch_alarms.free)
  by_sms        = [for key, subscription in var.topic.subscriptions : key if subscription.protocol == "sms"]
  traced_rate   = format("%.3f", local.items.xray_traces.free / local.price_list.seconds_a_month)
  kms_requests  = "${local.amounts.free.kms_requests} requests a month are free, beyond them ${local.money.kms_requests} per ${local.amounts.per.kms_requests}"

  exceptions = concat(
    [
      for name, unit in local.units : {
        applies = unit.beyond > 0
        sentence = join(" ", [
          "table.${name} is ${unit.given}${var.table.object_index ? ", and table.object_index takes as many again" : ""}:",
          "${unit.beyond} ${unit.beyond == 1 ? "unit" : "units"} beyond the ${unit.free} that are free",
          "${unit.beyond == 1 ? "costs" : "cost"} ${format("$%.2f", unit.beyond * unit.price)} a month.",
        ])
      }
    ],
    [
      {
        applies = var.table.billing_mode == "PAY_PER_REQUEST"
        sentence = join(" ", [
          "table.billing_mode is PAY_PER_REQUEST, of which nothing is free:",
          "${local.money.dynamodb_writes} per ${local.amounts.per.dynamodb_writes}",
          var.table.object_index ? "writes (two for each record with table.object_index)," : "writes,",
          "${local.money.dynamodb_reads} per ${local.amounts.per.dynamodb_reads} reads.",
        ])
      },
      {
        applies  = var.table.point_in_time_recovery
        sentence = "table.point_in_time_recovery is true, of which nothing is free: ${local.money.dynamodb_recovery} per GB a month."
      },
      {
        applies = var.function.tracing == "Active"
        sentence = join(" ", [
          "function.tracing is Active: ${local.amounts.free.xray_traces} traces a month are free,",
          "which ${local.traced_rate} ${local.buffered ? "batches" : "uploads"} a second use up;",
          "beyond them ${local.money.xray_traces} per ${local.amounts.per.xray_traces}.",
        ])
      },
      {
        applies = local.hook_reads
        sentence = join(" ", [
          "function.hook.read_objects is true, and nothing of S3's requests is free:",
          "${local.money.s3_gets} per ${local.amounts.per.s3_gets} reads.",
        ])
      },
      {
        applies = var.backfill.create
        sentence = join(" ", [
          "backfill.create is true, and nothing of S3 Batch Operations is free:",
          "${local.money.s3_batch_jobs} for each job, ${local.money.s3_batch_objects} per ${local.amounts.per.s3_batch_objects} objects,",
          "and ${local.money.s3_gets} per ${local.amounts.per.s3_gets} objects that the function asks S3 about.",
        ])
      },
      {
        applies = local.emits || var.bucket.eventbridge == true
        sentence = join(" ", [
          "${local.emitted_for}:",
          "S3 sends every event of the bucket to EventBridge, whatever the filters, of which nothing is free:",
          "${local.money.eventbridge_events} per ${local.amounts.per.eventbridge_events}.",
        ])
      },
      {
        applies = length(var.delivery.buckets) > 0
        sentence = join(" ", [
          "delivery.buckets names ${length(var.delivery.buckets)}:",
          "S3 sends every event of theirs to EventBridge, whatever the filters, of which nothing is free:",
          "${local.money.eventbridge_events} per ${local.amounts.per.eventbridge_events}.",
        ])
      },
      {
        applies = local.alarms_beyond > 0
        sentence = join(" ", [
          "alarms watch ${module.alarms.metrics} metrics: ${local.alarms_beyond} beyond the ${local.amounts.free.cloudwatch_alarms} that are free",
          "${local.alarms_beyond == 1 ? "costs" : "cost"} ${format("$%.2f", local.alarms_beyond * local.items.cloudwatch_alarms.price)} a month.",
        ])
      },
      {
        applies  = var.alarms.health.enabled && var.alarms.create
        sentence = "alarms.health is enabled: a composite alarm costs ${local.money.cloudwatch_composites} a month, of which nothing is free."
      },
      {
        applies  = var.encryption.mode == "create"
        sentence = "encryption.mode is create: the key costs ${local.money.kms_keys} a month, and ${local.items.kms_keys.note}; ${local.kms_requests}."
      },
      {
        applies  = var.encryption.mode == "given"
        sentence = "encryption.mode is given: the key is its owner's to pay; ${local.kms_requests}."
      },
      {
        applies  = length(local.by_sms) > 0
        sentence = "topic.subscriptions has ${join(", ", local.by_sms)} by sms, of which nothing is free: ${local.items.sns_sms.note}."
      },
      {
        applies  = var.bucket.create && var.bucket.access_log != null
        sentence = "bucket.access_log is set, and nothing of S3's storage is free: ${local.money.s3_storage} per GB of logs a month."
      },
    ],
  )
  free_tier_exceptions = [for exception in local.exceptions : exception.sentence if exception.applies]
}

check "free_tier" {
  assert {
    condition = var.free_tier != "warn" || length(local.free_tier_exceptions) == 0
    error_message = format(
      "These settings leave AWS's always-free limits (prices of %s, %s):\n%s",
      local.price_list.region, local.price_list.date, join("\n", local.free_tier_exceptions),
    )
  }
}
