module "bucket" {
  source = "./modules/s3"

  bucket = {
    create               = var.bucket.create
    name                 = local.bucket_name
    arn                  = local.bucket_arn
    force_destroy        = var.bucket.force_destroy
    versioning           = var.bucket.versioning
    abort_multipart_days = var.bucket.abort_multipart_days
    noncurrent_days      = var.bucket.noncurrent_days
    access_log           = var.bucket.access_log
    policy_json          = var.bucket.policy_json
    lifecycle_rules      = var.bucket.lifecycle_rules
    notifications        = local.notifications

    take_over_notifications = var.bucket.take_over_notifications
  }
  filters = local.filters
  delivery = {
    notify = !local.notifies ? "nobody" : local.buffered ? "buffer" : "function"
    # Both: the first also waits for the rule's target.
    eventbridge  = local.emits && module.rule.created || var.bucket.eventbridge == true
    function_arn = module.function.arn
    buffer_arn   = module.queues.buffer_arn
  }
  kms        = local.kms_for_services
  table_name = module.table.name
  tags       = local.tags
}

module "rule" {
  source = "./modules/eventbridge"

  rule = {
    create  = local.has_rule
    name    = local.rule_name
    buckets = concat(local.emits ? [local.bucket_name] : [], var.delivery.buckets)
  }
  senders           = var.delivery.accounts
  filters           = local.filters
  target_arn        = local.buffered ? module.queues.buffer_arn : local.function_arn
  failure_queue_arn = module.queues.failures_arn
  tags              = local.tags
}

module "queues" {
  source = "./modules/sqs"

  failures = {
    name = local.failure_queue_name
    arn  = local.failure_queue_arn
    # Whoever replays a message holds it for as long as the function may take, several times over.
    visibility_timeout_seconds = 6 * var.function.timeout_seconds
  }
  buffer = {
    create            = local.buffer != null
    name              = local.buffer_name
    arn               = local.buffer_arn
    retention_seconds = try(local.buffer.retention_days, 4) * 24 * 3600
    # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html, and a batch waits for its window first.
    visibility_timeout_seconds = 6 * var.function.timeout_seconds + try(local.buffer.window_seconds, 0)
    max_receive_count          = try(local.buffer.max_receive_count, 5)
  }
  sources = local.sources
  kms     = local.kms_for_services
  tags    = local.tags
}

module "function" {
  source = "./modules/lambda"

  function = {
    name                 = local.function_name
    role_arn             = module.role.arn
    package              = coalesce(var.function.package, "${path.module}/lambda_src/dist/lambda.zip")
    package_s3           = var.function.package_s3
    handler              = var.function.handler
    runtime              = var.function.runtime
    architecture         = var.function.architecture
    memory_mb            = var.function.memory_mb
    timeout_seconds      = var.function.timeout_seconds
    reserved_concurrency = var.delivery.paused && !local.buffered ? 0 : var.function.reserved_concurrency
    layers               = var.function.layers
    hook                 = var.function.hook
    vpc                  = var.function.vpc
    tracing              = var.function.tracing
    environment = merge(
      var.function.environment,
      {
        TABLE_NAME  = module.table.name
        TTL_SECONDS = tostring(var.table.ttl_hours * 3600)
      },
      var.function.hook == null ? {} : {
        RECORD_HOOK             = var.function.hook.handler
        RECORD_HOOK_CONCURRENCY = tostring(var.function.hook.concurrency)
      },
    )
  }
  log = {
    group_name     = local.log_group_name
    level          = var.function.log_level
    retention_days = var.function.log_retention_days
  }
  delivery = {
    max_retries           = var.delivery.max_retries
    max_event_age_seconds = var.delivery.max_event_age_seconds
    failure_queue_arn     = module.queues.failures_arn
    bucket_arn            = local.sources.bucket_arn
    rule_arn              = local.sources.rule_arn
    account_id            = local.account_id
  }
  buffer = local.buffer == null ? null : {
    arn            = module.queues.buffer_arn
    enabled        = !var.delivery.paused
    batch_size     = local.buffer.batch_size
    window_seconds = local.buffer.window_seconds
    # Beyond what the function reserves, messages would be received in vain and count as failed.
    max_concurrency = (
      local.buffer.max_concurrency != null || var.function.reserved_concurrency == null
      ? local.buffer.max_concurrency
      : min(var.function.reserved_concurrency, 1000)
    )
  }
  kms  = local.kms_for_services
  tags = local.tags
}

module "role" {
  source = "./modules/iam"

  role = {
    name                 = local.role_name
    path                 = var.function.role_path
    permissions_boundary = var.function.permissions_boundary
    policy_json          = var.function.policy_json
  }
  function_arn      = local.function_arn
  table_arn         = local.table_arn
  log_group_arn     = local.log_group_arn
  failure_queue_arn = local.failure_queue_arn
  buffer_arn        = local.buffer == null ? null : local.buffer_arn
  # HeadObject has no action of its own, and needs no key.
  read_objects_of = !(local.hook_reads || var.backfill.create) ? [] : [
    for name in concat([local.bucket_name], var.delivery.buckets) : "arn:${local.partition}:s3:::${name}"
  ]
  kms = merge(local.kms, {
    via         = [for service in ["dynamodb", "sqs"] : "${service}.${local.region}.${local.dns_suffix}"]
    via_objects = local.hook_reads ? "s3.${local.region}.${local.dns_suffix}" : null
  })
  tracing = var.function.tracing == "Active"
  vpc     = var.function.vpc != null
  tags    = local.tags
}

module "table" {
  source = "./modules/dynamodb"

  table = merge(var.table, { name = local.table_name })
  kms   = local.kms
  tags  = local.tags
}

module "alarms" {
  source = "./modules/alarms"

  alarms = {
    for key, alarm in var.alarms : key => merge(alarm, { enabled = alarm.enabled && var.alarms.create })
    if !contains(["create", "extra_actions", "backlog_age", "health"], key)
  }
  health                = merge(var.alarms.health, { enabled = var.alarms.health.enabled && var.alarms.create })
  prefix                = local.prefix
  actions               = concat([module.topic.arn], var.alarms.extra_actions)
  table_name            = module.table.name
  write_units           = var.table.write_units
  on_demand             = var.table.billing_mode == "PAY_PER_REQUEST"
  function_name         = module.function.name
  timeout_seconds       = var.function.timeout_seconds
  max_event_age_seconds = var.delivery.max_event_age_seconds
  failure_queue_name    = module.queues.failures_name
  delivery              = local.delivery
  tags                  = local.tags
}

module "dashboard" {
  source = "./modules/dashboard"

  dashboard = {
    create = var.dashboard.create
    name   = local.dashboard_name
  }
  region             = local.region
  bucket_names       = concat([local.bucket_name], var.delivery.buckets)
  delivery           = local.delivery
  failure_queue_name = module.queues.failures_name
  function = {
    name            = module.function.name
    timeout_seconds = var.function.timeout_seconds
  }
  log_group_name = module.function.log_group_name
  table = {
    name        = module.table.name
    write_units = var.table.billing_mode == "PROVISIONED" ? var.table.write_units : null
  }
  alarms = {
    for key, alarm in module.alarms.by_key : key => merge(alarm, { arn = replace(local.alarm_arns, "*", alarm.name) })
  }
}

module "topic" {
  source = "./modules/sns"

  topic = {
    create        = var.topic.create
    name          = local.topic_name
    arn           = var.topic.create ? local.topic_arn : var.topic.arn
    subscriptions = var.topic.subscriptions
  }
  alarm_emails = var.alarm_emails
  alarm_arns   = local.alarm_arns
  account_id   = local.account_id
  kms          = local.kms
  tags         = local.tags
}

module "backfill" {
  source = "./modules/backfill"

  role = {
    create               = var.backfill.create
    name                 = local.backfill_role_name
    path                 = var.function.role_path
    permissions_boundary = var.function.permissions_boundary
  }
  jobs = {
    bucket_arn  = "arn:${local.partition}:s3:::${local.jobs_bucket_name}"
    prefix      = local.jobs_prefix
    inventories = var.backfill.bucket != null
  }
  function_arn      = local.function_arn
  source_bucket_arn = local.bucket_arn
  tags              = local.tags
}

module "key" {
  source = "./modules/kms"

  create = var.encryption.mode == "create"
  # One of a kind in account and region, as the function is.
  alias = local.function_name
  users = {
    partition            = local.partition
    region               = local.region
    dns_suffix           = local.dns_suffix
    account_id           = local.account_id
    bucket_arn           = var.bucket.create ? local.bucket_arn : null
    notifying_bucket_arn = local.buffer == null ? null : local.sources.bucket_arn
    rule                 = local.has_rule
    topic                = var.topic.create
    log_group_arn        = local.log_group_arn
    alarm_arns           = local.alarm_arns
  }
  tags = local.tags
}
