# How events reach the function, as the submodules are told it.
locals {
  buffer = var.delivery.buffer
  # A buffer that drains is read, and gets nothing new.
  buffered           = local.buffer == null ? false : !local.buffer.drain
  notifies           = var.delivery.via == "notification" || var.delivery.handover
  emits              = var.delivery.via == "eventbridge" || var.delivery.handover
  has_rule           = local.emits || length(var.delivery.buckets) > 0
  owns_notifications = var.bucket.create || var.bucket.take_over_notifications

  hook_reads = try(var.function.hook.read_objects, false)

  # What there is to watch. A buffer that drains is there, though events go direct.
  delivery = {
    direct                = !local.buffered
    buffer                = local.buffer != null
    buffer_name           = local.buffer_name
    buffer_window_seconds = try(local.buffer.window_seconds, 0)
    rule                  = local.has_rule
    rule_takes_all        = local.emits
    rule_name             = local.rule_name
  }

  # Null where a source never sends. A bucket whose notifications are ours may have sent them until
  # some minutes ago, whatever it does now.
  sources = {
    bucket_arn = local.owns_notifications ? local.bucket_arn : null
    rule_arn   = local.has_rule ? local.rule_arn : null
    account_id = local.account_id
  }

  kms = {
    enabled = var.encryption.mode != "service"
    key_arn = var.encryption.mode == "create" ? module.key.arn : var.encryption.kms_key_arn
  }

  # For what other services use the key through, once its policy lets them: CloudWatch Logs refuses
  # such a key, S3 and EventBridge would lose events. The table acts with its caller's rights. The topic
  # can't wait, since the policy names the function, whose environment may well name the topic.
  kms_for_services = merge(local.kms, {
    key_arn = var.encryption.mode == "create" ? module.key.arn_for_services : var.encryption.kms_key_arn
  })
}
