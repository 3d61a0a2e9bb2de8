variable "topic" {
  # BEGIN description
  description = <<-EOT
    The SNS topic that alarms publish to, made by the module or existing, and who receives its messages beside `alarm_emails`.

    - `create` (`true`): Whether the module makes the topic. With `false`, `arn` names an existing one. Known at plan.
    - `arn` (`null`): ARN of an existing topic of the same account and region, whose policy lets CloudWatch alarms
      publish. Only with `create = false`.
    - `name` (`event-driven-alerts`): Name of the topic that the module makes. On a running pipeline the plan refuses
      another name: addresses would have to confirm again.
    - `subscriptions`: Subscriptions by a key of your choice. An address for e-mail belongs here or into `alarm_emails`,
      not both. Their keys must be known at plan.
      - `protocol` (required): How SNS delivers: `email`, `email-json`, `https`, `lambda`, `sms` (which costs money) or
        `sqs`.
      - `endpoint` (required): Where to: an e-mail address, an https:// URL, the ARN of a function or of a standard
        queue, or a phone number like `+4915112345678`. Whoever gets e-mail or HTTPS has to confirm once; a function or
        queue needs a policy that lets the topic in.
      - `raw` (`false`): Whether the message comes without SNS's envelope. Only for `sqs` and `https`.
      - `filter_policy` (`null`): Which alarms are delivered, as JSON over the message's body, like `jsonencode({
        AlarmName = ["FailureQueueAlert"] })`; `null` delivers all. Known at plan: write the alarms' names literally.
  EOT
  # END description
  type = object({
    # Whether the module makes the topic. With `false`, `arn` names an existing one. Known at plan.
    create = optional(bool, true)
    # ARN of an existing topic of the same account and region, whose policy lets CloudWatch alarms publish. Only with `create = false`.
    arn = optional(string)
    # Name of the topic that the module makes. On a running pipeline the plan refuses another name: addresses would have to confirm again.
    name = optional(string) # `event-driven-alerts`
    # Subscriptions by a key of your choice. An address for e-mail belongs here or into `alarm_emails`, not both.
    # Their keys must be known at plan.
    subscriptions = optional(map(object({
      # How SNS delivers: `email`, `email-json`, `https`, `lambda`, `sms` (which costs money) or `sqs`.
      protocol = string
      # Where to: an e-mail address, an https:// URL, the ARN of a function or of a standard queue, or a phone number like `+4915112345678`.
      # Whoever gets e-mail or HTTPS has to confirm once; a function or queue needs a policy that lets the topic in.
      endpoint = string
      # Whether the message comes without SNS's envelope. Only for `sqs` and `https`.
      raw = optional(bool, false)
      # Which alarms are delivered, as JSON over the message's body, like `jsonencode({ AlarmName = ["FailureQueueAlert"] })`; `null` delivers all.
      # Known at plan: write the alarms' names literally.
      filter_policy = optional(string)
    })), {})
  })
  default  = {}
  nullable = false

  validation {
    condition = var.topic.create ? var.topic.arn == null : can(regex("^arn:[^:]+:sns:[^:]+:[0-9]{12}:[A-Za-z0-9_-]+$", var.topic.arn))
    error_message = (
      var.topic.create
      ? "topic.arn is ${jsonencode(var.topic.arn)} and topic.create is true; set topic.create = false to use that topic, or leave topic.arn out."
      : "topic.create is false and topic.arn is ${jsonencode(var.topic.arn)}; write the ARN of the existing topic."
    )
  }

  validation {
    condition = var.topic.create || var.topic.arn == null ? true : startswith(var.topic.arn, local.topic_arns)
    error_message = join(" ", [
      "topic.arn is ${jsonencode(var.topic.arn)}; alarms reach topics of their own region and this account only:",
      "write one that starts with ${local.topic_arns}.",
    ])
  }

  validation {
    condition     = var.topic.name == null ? true : can(regex("^[A-Za-z0-9_-]{1,256}$", var.topic.name))
    error_message = "topic.name is ${jsonencode(var.topic.name)}; write 1 to 256 of A-Z, a-z, 0-9, _ and - (alarms can't publish to a FIFO topic)."
  }

  validation {
    condition = alltrue([
      for subscription in values(var.topic.subscriptions) : contains(keys(local.endpoint_patterns), try(subscription.protocol, "none"))
    ])
    error_message = format("topic.subscriptions has %s; write one of %s.",
      join(", ", [
        for key, subscription in var.topic.subscriptions : "${key} with protocol ${jsonencode(try(subscription.protocol, null))}"
        if !contains(keys(local.endpoint_patterns), try(subscription.protocol, "none"))
      ]),
      join(", ", keys(local.endpoint_patterns)),
    )
  }

  # Without the endpoint in the message: it may hold a key.
  validation {
    condition = alltrue([
      for subscription in values(var.topic.subscriptions) : can(regex(local.endpoint_patterns[subscription.protocol], subscription.endpoint))
    ])
    error_message = join("", [
      "topic.subscriptions has no endpoint that fits its protocol at ",
      join(", ", [
        for key, subscription in var.topic.subscriptions : "${key} (${try(subscription.protocol, "null")})"
        if !can(regex(local.endpoint_patterns[subscription.protocol], subscription.endpoint))
      ]),
      "; write an address for email, an https:// URL for https, an ARN for lambda and sqs (no FIFO queue), a number like +4915112345678 for sms.",
    ])
  }

  validation {
    condition = alltrue([
      for subscription in values(var.topic.subscriptions) : try(!subscription.raw || contains(["sqs", "https"], subscription.protocol), true)
    ])
    error_message = format("topic.subscriptions has raw = true at %s; SNS delivers raw to sqs and https only.", join(", ", [
      for key, subscription in var.topic.subscriptions : key
      if try(subscription.raw && !contains(["sqs", "https"], subscription.protocol), false)
    ]))
  }

  validation {
    condition = alltrue([
      for subscription in values(var.topic.subscriptions) :
      try(subscription.filter_policy, null) == null ? true : can(keys(jsondecode(subscription.filter_policy)))
    ])
    error_message = join("", [
      "topic.subscriptions has a filter_policy that is no JSON object at ",
      join(", ", [
        for key, subscription in var.topic.subscriptions : key
        if try(subscription.filter_policy, null) == null ? false : !can(keys(jsondecode(subscription.filter_policy)))
      ]),
      "; write it with jsonencode(), over what an alarm's message says, like { AlarmName = [\"…\"] }.",
    ])
  }

  validation {
    condition = length(setintersection(var.alarm_emails, [
      for subscription in values(var.topic.subscriptions) : try(subscription.protocol == "email" ? subscription.endpoint : "-", "-")
    ])) == 0
    error_message = join(" ", [
      "topic.subscriptions has an address by email that alarm_emails has too;",
      "leave it out of one of them, since AWS keeps one subscription for both.",
    ])
  }
}
