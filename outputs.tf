output "bucket_name" {
  description = "Name of the bucket that files are uploaded to."
  value       = module.bucket.name
}

output "bucket_arn" {
  description = "ARN of the bucket that files are uploaded to."
  value       = module.bucket.arn
}

output "access_log_bucket" {
  description = "Name of the bucket that S3 logs requests to, null where there is none."
  value       = var.bucket.create ? try(var.bucket.access_log.bucket, null) : null
}

output "table_name" {
  description = "Name of the table that holds one record per event."
  value       = module.table.name
}

output "table_arn" {
  description = "ARN of the table that holds one record per event."
  value       = module.table.arn
}

output "table_stream_arn" {
  description = "ARN of the table's stream, for consumers of new records."
  value       = module.table.stream_arn
}

output "function_name" {
  description = "Name of the function that writes the records."
  value       = module.function.name
}

output "function_arn" {
  description = "ARN of the function that writes the records."
  value       = module.function.arn
}

output "role_name" {
  description = "Name of the function's role."
  value       = module.role.name
}

output "role_arn" {
  description = "ARN of the function's role."
  value       = module.role.arn
}

output "topic_arn" {
  description = "ARN of the topic that alarms publish to."
  value       = module.topic.arn
}

output "failure_queue_url" {
  description = "URL of the queue that holds the events which kept failing."
  value       = module.queues.failures_url
}

output "failure_queue_arn" {
  description = "ARN of the queue that holds the events which kept failing."
  value       = module.queues.failures_arn
}

output "buffer_queue_url" {
  description = "URL of the queue between source and function, null where there is none."
  value       = module.queues.buffer_url
}

output "log_group_name" {
  description = "Name of the function's log group."
  value       = module.function.log_group_name
}

output "alarm_names" {
  description = "Names of the alarms, sorted."
  value       = module.alarms.names
}

output "alarms" {
  description = "Name, threshold in its metric's unit and period in seconds of each alarm, by its key in the variable alarms; health has its name only."
  value       = module.alarms.by_key
}

output "dashboard_name" {
  description = "Name of the dashboard, null where there is none."
  value       = module.dashboard.name
}

output "backfill" {
  description = "Role, bucket and key prefix of S3 Batch Operations jobs, null without backfill.create."
  value = !var.backfill.create ? null : {
    role_arn = module.backfill.role_arn
    bucket   = local.jobs_bucket_name
    prefix   = local.jobs_prefix
  }

  # IAM takes names that differ only in case for the same.
  precondition {
    condition = !var.backfill.create || lower(local.backfill_role_name) != lower(local.role_name)
    error_message = join(" ", [
      "The function's role and that of jobs would both be named \"${local.backfill_role_name}\";",
      "give function.role_name or backfill.role_name another value.",
    ])
  }
}

output "delivery" {
  description = "How events reach the function: where from, further buckets, which events, and whether a queue stands between."
  value = {
    via      = var.delivery.via
    buckets  = var.delivery.buckets
    filters  = local.filters
    buffered = local.buffered
  }

  precondition {
    condition = length(local.overlaps) == 0
    error_message = join(" ", [
      "S3 refuses notifications that could match one event: ${join("; ", local.overlaps)}.",
      "Make their prefixes, suffixes or events exclude each other${length(var.bucket.notifications) > 0 ? ", or deliver by EventBridge" : ""}.",
    ])
  }

  precondition {
    condition = length(var.bucket.notifications) + (local.notifies ? length(var.delivery.filters) : 0) <= 100
    error_message = join(" ", [
      "delivery.filters and bucket.notifications are ${length(var.delivery.filters)} and ${length(var.bucket.notifications)};",
      "S3 takes 100 in a bucket's notification configuration: write fewer, or deliver by EventBridge.",
    ])
  }

  precondition {
    condition     = !contains(var.delivery.buckets, local.bucket_name)
    error_message = "delivery.buckets holds \"${local.bucket_name}\", the pipeline's own bucket, whose events are taken anyway; leave it out."
  }

  precondition {
    condition = local.buffer == null || local.buffer_name != local.failure_queue_name
    error_message = join(" ", [
      "The buffer and the failure queue would both be named \"${local.buffer_name}\";",
      "give delivery.buffer.name or delivery.failure_queue_name another value.",
    ])
  }
}

output "kms_policy_statements" {
  description = "The statements that the owner of encryption.kms_key_arn adds to the key's policy, as objects."
  value       = module.key.statements
}

output "free_tier_exceptions" {
  description = "A sentence for each setting that leaves AWS's always-free limits, with its price; empty by default."
  value       = local.free_tier_exceptions

  precondition {
    condition = var.free_tier != "enforce" || length(local.free_tier_exceptions) == 0
    error_message = join("\n", concat(
      ["free_tier is \"enforce\", and these settings leave AWS's always-free limits:"],
      local.free_tier_exceptions,
      ["Change them, or write free_tier = \"warn\"."],
    ))
  }
}
