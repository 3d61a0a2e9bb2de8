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
  }
  filters      = var.delivery.filters
  function_arn = module.function.arn
  tags         = var.tags
}

module "function" {
  source = "./modules/lambda"

  function = {
    name                 = local.function_name
    role_arn             = module.role.arn
    package              = coalesce(var.function.package, "${path.module}/lambda_src/dist/lambda.zip")
    handler              = var.function.handler
    runtime              = var.function.runtime
    architecture         = var.function.architecture
    memory_mb            = var.function.memory_mb
    timeout_seconds      = var.function.timeout_seconds
    reserved_concurrency = var.function.reserved_concurrency
    layers               = var.function.layers
    vpc                  = var.function.vpc
    tracing              = var.function.tracing
    environment = merge(var.function.environment, {
      TABLE_NAME  = module.table.name
      TTL_SECONDS = tostring(var.table.ttl_hours * 3600)
    })
  }
  log = {
    group_name     = local.log_group_name
    level          = var.function.log_level
    retention_days = var.function.log_retention_days
  }
  delivery = {
    max_retries           = var.delivery.max_retries
    max_event_age_seconds = var.delivery.max_event_age_seconds
    failure_queue_arn     = module.failures.arn
    bucket_arn            = local.bucket_arn
    account_id            = local.account_id
  }
  tags = var.tags
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
  tracing           = var.function.tracing == "Active"
  vpc               = var.function.vpc != null
  tags              = var.tags
}

module "table" {
  source = "./modules/dynamodb"

  table = merge(var.table, { name = local.table_name })
  tags  = var.tags
}

module "failures" {
  source = "./modules/sqs"

  queue = {
    name = local.failure_queue_name
    arn  = local.failure_queue_arn
    # Whoever replays a message holds it for as long as the function may take, several times over.
    visibility_timeout_seconds = 6 * var.function.timeout_seconds
  }
  tags = var.tags
}

module "alarms" {
  source = "./modules/alarms"

  alarms = {
    for key, alarm in var.alarms : key => merge(alarm, { enabled = alarm.enabled && var.alarms.create })
    if !contains(["create", "extra_actions"], key)
  }
  prefix                = local.prefix
  actions               = concat([module.topic.arn], var.alarms.extra_actions)
  table_name            = module.table.name
  write_units           = var.table.write_units
  function_name         = module.function.name
  timeout_seconds       = var.function.timeout_seconds
  max_event_age_seconds = var.delivery.max_event_age_seconds
  failure_queue_name    = module.failures.name
  tags                  = var.tags
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
  tags         = var.tags
}
