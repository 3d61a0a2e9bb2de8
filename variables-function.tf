variable "function" {
  # BEGIN description
  description = <<-EOT
    The Lambda function that writes the records: its settings, log and role, and what your own code needs.

    - `name` (`S3ToDynamoProcessor`): Name of the function; its log group is `/aws/lambda/<name>`. Changing it makes a
      new function.
    - `package` (`lambda_src/dist/lambda.zip` of this module): Path of a zip file with your own code, instead of the
      module's handler. Set `handler` with it.
    - `package_s3` (`null`): A zip file in S3 with your own code, instead of `package`. Set `handler` with it. The next
      apply deploys what has changed there. Whoever plans needs `s3:GetObject` and `s3:GetObjectTagging`. Whether it is
      `null` must be known at plan.
      - `bucket` (required): Name of the bucket, in the function's region.
      - `key` (required): Key of the zip file.
      - `version` (`null`): Version id of the zip file; `null` takes the current one at each plan.
    - `handler` (`"lambda_function.lambda_handler"`): What Lambda calls in the package, like `module.function`. Known at
      plan.
    - `runtime` (`"python3.12"`): Lambda runtime. The module's handler needs `python3.12` or newer; your own package may
      need another. Known at plan.
    - `hook` (`null`): Your own function that adds attributes to each record of the module's handler; `null` for none.
      Not together with `package`. Known at plan.
      - `package` (required): Path of a zip file with `python/<module>.py` in it. The module publishes it as a layer,
        which leaves four for `layers`.
      - `handler` (required): What the handler calls for each event, like `module.function`.
      - `concurrency` (`8`): Calls at a time within one invoke, 1 to 64. The hook must allow for several threads.
      - `read_objects` (`false`): Whether the function may read the objects of all buckets. S3 charges for each read.
    - `architecture` (`"arm64"`): Processor: `arm64`, which is a fifth cheaper, or `x86_64`, for a package that needs
      it.
    - `memory_mb` (`256`): Memory in MB, 128 to 10240. Lambda allots processor time in proportion.
    - `timeout_seconds` (`30`): Seconds after which Lambda ends an invoke, 1 to 900. The queues hide a received message
      for six times as long or longer.
    - `reserved_concurrency` (`null`): Invokes at a time that are reserved for the function and limit it; `null` takes
      them from the account's shared pool. With a buffer 2 or more. AWS refuses what would leave other functions less
      than 100, and any in a new account, whose quota is 10.
    - `environment`: Environment variables beside the module's `TABLE_NAME` and `TTL_SECONDS`. Lambda takes 4 KB in all.
      Put no secrets here.
    - `layers` (`[]`): ARNs of layer versions for your own package or hook, 5 at most; with a hook 4.
    - `vpc` (`null`): The VPC that the function runs in; `null` for none. From there it must reach DynamoDB, best by a
      gateway endpoint. Removed or destroyed, it may leave network interfaces behind: delete them by hand.
      - `subnet_ids` (required): Ids of the subnets, 1 to 16.
      - `security_group_ids` (required): Ids of the security groups, 1 to 5.
    - `tracing` (`"PassThrough"`): Whether the function sends traces to X-Ray: `PassThrough` sends none of its own,
      `Active` does. Beyond the free amount they cost money.
    - `log_level` (`"INFO"`): Lowest level of the function's log lines that are kept: `TRACE`, `DEBUG`, `INFO`, `WARN`,
      `ERROR` or `FATAL`.
    - `log_retention_days` (`14`): Days that log lines are kept: one of the values that CloudWatch offers, or 0 to keep
      them forever.
    - `role_name` (`Lambda-S3-DDB-Role`): Name of the function's IAM role. Changing it makes a new role.
    - `role_path` (`"/"`): IAM path of the role, like `/pipelines/`. Changing it makes a new role.
    - `permissions_boundary` (`null`): ARN of the IAM policy that limits what the role may do; `null` for none. Set it
      where your account demands one.
    - `policy_json` (`null`): What your own code may do beside writing records: an IAM policy document as JSON, of 8192
      characters at most. It must not refer to outputs of this module, which is a cycle.
  EOT
  # END description
  type = object({
    # Name of the function; its log group is `/aws/lambda/<name>`. Changing it makes a new function.
    name = optional(string) # `S3ToDynamoProcessor`
    # Path of a zip file with your own code, instead of the module's handler. Set `handler` with it.
    package = optional(string) # `lambda_src/dist/lambda.zip` of this module
    # A zip file in S3 with your own code, instead of `package`. Set `handler` with it. The next apply deploys what has changed there.
    # Whoever plans needs `s3:GetObject` and `s3:GetObjectTagging`. Whether it is `null` must be known at plan.
    package_s3 = optional(object({
      # Name of the bucket, in the function's region.
      bucket = string
      # Key of the zip file.
      key = string
      # Version id of the zip file; `null` takes the current one at each plan.
      version = optional(string)
    }))
    # What Lambda calls in the package, like `module.function`. Known at plan.
    handler = optional(string, "lambda_function.lambda_handler")
    # Lambda runtime. The module's handler needs `python3.12` or newer; your own package may need another. Known at plan.
    runtime = optional(string, "python3.12")
    # Your own function that adds attributes to each record of the module's handler; `null` for none. Not together with `package`. Known at plan.
    hook = optional(object({
      # Path of a zip file with `python/<module>.py` in it. The module publishes it as a layer, which leaves four for `layers`.
      package = string
      # What the handler calls for each event, like `module.function`.
      handler = string
      # Calls at a time within one invoke, 1 to 64. The hook must allow for several threads.
      concurrency = optional(number, 8)
      # Whether the function may read the objects of all buckets. S3 charges for each read.
      read_objects = optional(bool, false)
    }))
    # Processor: `arm64`, which is a fifth cheaper, or `x86_64`, for a package that needs it.
    architecture = optional(string, "arm64")
    # Memory in MB, 128 to 10240. Lambda allots processor time in proportion.
    memory_mb = optional(number, 256)
    # Seconds after which Lambda ends an invoke, 1 to 900. The queues hide a received message for six times as long or longer.
    timeout_seconds = optional(number, 30)
    # Invokes at a time that are reserved for the function and limit it; `null` takes them from the account's shared pool. With a buffer 2 or more.
    # AWS refuses what would leave other functions less than 100, and any in a new account, whose quota is 10.
    reserved_concurrency = optional(number)
    # Environment variables beside the module's `TABLE_NAME` and `TTL_SECONDS`. Lambda takes 4 KB in all. Put no secrets here.
    environment = optional(map(string), {})
    # ARNs of layer versions for your own package or hook, 5 at most; with a hook 4.
    layers = optional(list(string), [])
    # The VPC that the function runs in; `null` for none. From there it must reach DynamoDB, best by a gateway endpoint.
    # Removed or destroyed, it may leave network interfaces behind: delete them by hand.
    vpc = optional(object({
      # Ids of the subnets, 1 to 16.
      subnet_ids = list(string)
      # Ids of the security groups, 1 to 5.
      security_group_ids = list(string)
    }))
    # Whether the function sends traces to X-Ray: `PassThrough` sends none of its own, `Active` does. Beyond the free amount they cost money.
    tracing = optional(string, "PassThrough")
    # Lowest level of the function's log lines that are kept: `TRACE`, `DEBUG`, `INFO`, `WARN`, `ERROR` or `FATAL`.
    log_level = optional(string, "INFO")
    # Days that log lines are kept: one of the values that CloudWatch offers, or 0 to keep them forever.
    log_retention_days = optional(number, 14)
    # Name of the function's IAM role. Changing it makes a new role.
    role_name = optional(string) # `Lambda-S3-DDB-Role`
    # IAM path of the role, like `/pipelines/`. Changing it makes a new role.
    role_path = optional(string, "/")
    # ARN of the IAM policy that limits what the role may do; `null` for none. Set it where your account demands one.
    permissions_boundary = optional(string)
    # What your own code may do beside writing records: an IAM policy document as JSON, of 8192 characters at most.
    # It must not refer to outputs of this module, which is a cycle.
    policy_json = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.function.name == null ? true : can(regex("^[A-Za-z0-9_-]{1,64}$", var.function.name))
    error_message = "function.name is ${jsonencode(var.function.name)}; write 1 to 64 of A-Z, a-z, 0-9, _ and -."
  }

  validation {
    condition = var.function.package == null ? true : try(fileexists(var.function.package), false)
    error_message = join(" ", [
      "function.package is ${jsonencode(var.function.package)}, and no such file exists;",
      "write the path of a zip file, like \"$${path.module}/handler.zip\", or leave it out to run this module's own handler.",
    ])
  }

  validation {
    condition = var.function.package == null ? true : try(startswith(filebase64(var.function.package), "UEsD"), true)
    error_message = join(" ", [
      "function.package is ${jsonencode(var.function.package)}, which is no zip file;",
      "write the path of a zip file that holds the handler.",
    ])
  }

  validation {
    condition     = can(regex("^[^\\s]{1,128}$", var.function.handler))
    error_message = "function.handler is ${jsonencode(var.function.handler)}; write at most 128 characters without blanks, like \"module.function\"."
  }

  validation {
    condition = (
      var.function.package != null || var.function.package_s3 != null || can(regex("^python3\\.(1[2-9]|[2-9][0-9])$", var.function.runtime))
    )
    error_message = join(" ", [
      "function.runtime is \"${var.function.runtime}\";",
      "this module's own handler needs python3.12 or newer, another runtime needs function.package or function.package_s3.",
    ])
  }

  validation {
    condition     = var.function.package == null || var.function.package_s3 == null
    error_message = "function.package and function.package_s3 are both set, and the function has one package; leave one of them out."
  }

  validation {
    condition = var.function.package_s3 == null ? true : (
      can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.function.package_s3.bucket))
      && try(length(var.function.package_s3.key) > 0, false)
      && (var.function.package_s3.version == null ? true : try(length(var.function.package_s3.version) > 0, false))
    )
    error_message = join(" ", [
      "function.package_s3 is ${jsonencode(var.function.package_s3)};",
      "write the name of a bucket, the key of a zip file in it, and its version id, or no version.",
    ])
  }

  validation {
    condition = var.function.hook == null || var.function.package == null && var.function.package_s3 == null
    error_message = join(" ", [
      "function.hook and function.package${var.function.package_s3 == null ? "" : "_s3"} are both set, and the module's handler alone calls a hook;",
      "leave one of them out.",
    ])
  }

  # In base64 the path has one of three spellings, by where it stands in the zip file.
  validation {
    condition = var.function.hook == null ? true : try(anytrue([
      for before in [0, 1, 2] : strcontains(
        filebase64(var.function.hook.package),
        substr(
          base64encode("${substr("--", 0, before)}python/${split(".", var.function.hook.handler)[0]}"),
          before == 0 ? 0 : before + 1,
          floor((before + length("python/${split(".", var.function.hook.handler)[0]}")) / 3) * 4 - (before == 0 ? 0 : before + 1),
        ),
      )
    ]) && startswith(filebase64(var.function.hook.package), "UEsD"), false)
    error_message = join(" ", [
      "function.hook.package is ${jsonencode(try(var.function.hook.package, null))};",
      "write the path of a zip file that has python/${try(split(".", var.function.hook.handler)[0], "<module>")}.py in it,",
      "like \"$${path.module}/hook.zip\".",
    ])
  }

  validation {
    condition = var.function.hook == null ? true : (
      can(regex("^([A-Za-z_][A-Za-z0-9_]*[.])+[A-Za-z_][A-Za-z0-9_]*$", var.function.hook.handler))
      && length(var.function.hook.handler) <= 128
      && !contains(local.own_modules, split(".", var.function.hook.handler)[0])
    )
    error_message = join(" ", [
      "function.hook.handler is ${jsonencode(try(var.function.hook.handler, null))}; write \"module.function\", at most 128 characters,",
      "with a module that is none of the module's own (${join(", ", local.own_modules)}).",
    ])
  }

  validation {
    condition = var.function.hook == null ? true : length(var.function.layers) <= 4
    error_message = join(" ", [
      "function.layers names ${length(var.function.layers)} layers, and function.hook is one more; Lambda takes 5 at most:",
      "name 4, or put them into the hook's package.",
    ])
  }

  validation {
    condition = alltrue([
      for name, bound in local.bounds.hook : try(var.function.hook[name] == min(max(floor(var.function.hook[name]), bound.least), bound.most), true)
    ])
    error_message = join("\n", [
      for name, bound in local.bounds.hook : "function.hook.${name} is ${try(var.function.hook[name], 0)}; write ${bound.write}."
      if !try(var.function.hook[name] == min(max(floor(var.function.hook[name]), bound.least), bound.most), true)
    ])
  }

  validation {
    condition     = contains(["arm64", "x86_64"], var.function.architecture)
    error_message = "function.architecture is \"${var.function.architecture}\"; write arm64 (a fifth cheaper) or x86_64."
  }

  # True where the attribute is null.
  validation {
    condition = alltrue([
      for name, bound in local.bounds.function : try(var.function[name] == min(max(floor(var.function[name]), bound.least), bound.most), true)
    ])
    error_message = join("\n", [
      for name, bound in local.bounds.function : "function.${name} is ${var.function[name]}; write ${bound.write}."
      if !try(var.function[name] == min(max(floor(var.function[name]), bound.least), bound.most), true)
    ])
  }

  validation {
    condition = length(setintersection(keys(var.function.environment), local.reserved_environment)) == 0
    error_message = format(
      "function.environment sets %s, which Lambda or this module sets; leave it out (the table's name and retention are table.name and table.ttl_hours).",
      join(" and ", setintersection(keys(var.function.environment), local.reserved_environment)),
    )
  }

  validation {
    # In bytes, of which base64 makes four characters of three.
    condition = (
      alltrue([for value in values(var.function.environment) : value != null])
      && floor(length(trim(base64encode(jsonencode(var.function.environment)), "=")) * 3 / 4) <= (var.function.hook == null ? 3800 : 3600)
    )
    error_message = join(" ", [
      "function.environment has ${floor(length(trim(base64encode(jsonencode(var.function.environment)), "=")) * 3 / 4)} bytes or a null in it;",
      "Lambda takes 4 KB with this module's own, and no nulls.",
    ])
  }

  validation {
    condition = alltrue([for key in keys(var.function.environment) : can(regex("^[A-Za-z][A-Za-z0-9_]+$", key))])
    error_message = format(
      "function.environment has the key %s; Lambda takes a letter, then letters, digits and _, two characters at least.",
      join(", ", [for key in keys(var.function.environment) : "\"${key}\"" if !can(regex("^[A-Za-z][A-Za-z0-9_]+$", key))]),
    )
  }

  validation {
    condition     = length(var.function.layers) <= 5
    error_message = "function.layers names ${length(var.function.layers)} layers; Lambda takes 5 at most."
  }

  validation {
    condition = alltrue([for layer in var.function.layers : can(regex(local.layer_pattern, layer))])
    error_message = format(
      "function.layers holds %s; write ARNs of layer versions, which end in the version's number.",
      join(", ", [for layer in var.function.layers : jsonencode(layer) if !can(regex(local.layer_pattern, layer))]),
    )
  }

  validation {
    condition = var.function.vpc == null ? true : (
      try(alltrue([for id in concat(var.function.vpc.subnet_ids, var.function.vpc.security_group_ids) : id != null]), true)
      && try(length(var.function.vpc.subnet_ids) >= 1 && length(var.function.vpc.subnet_ids) <= 16, false)
      && try(length(var.function.vpc.security_group_ids) >= 1 && length(var.function.vpc.security_group_ids) <= 5, false)
    )
    error_message = join(" ", [
      "function.vpc has ${try(length(var.function.vpc.subnet_ids), 0)} subnet_ids",
      "and ${try(length(var.function.vpc.security_group_ids), 0)} security_group_ids;",
      "write 1 to 16 and 1 to 5, none of them null, or leave function.vpc out.",
    ])
  }

  validation {
    condition     = contains(["PassThrough", "Active"], var.function.tracing)
    error_message = "function.tracing is \"${var.function.tracing}\"; write PassThrough (free) or Active."
  }

  validation {
    condition     = contains(["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"], var.function.log_level)
    error_message = "function.log_level is \"${var.function.log_level}\"; write TRACE, DEBUG, INFO, WARN, ERROR or FATAL."
  }

  validation {
    condition = contains(local.log_retention_days, var.function.log_retention_days)
    error_message = join(" ", [
      "function.log_retention_days is ${var.function.log_retention_days};",
      "CloudWatch takes one of ${join(", ", local.log_retention_days)} (0: for ever).",
    ])
  }

  validation {
    condition     = var.function.role_name == null ? true : can(regex("^[A-Za-z0-9+=,.@_-]{1,64}$", var.function.role_name))
    error_message = "function.role_name is ${jsonencode(var.function.role_name)}; write 1 to 64 of A-Z, a-z, 0-9 and +=,.@_-."
  }

  validation {
    condition     = can(regex("^/([A-Za-z0-9+=,.@_/-]{1,510}/)?$", var.function.role_path))
    error_message = "function.role_path is \"${var.function.role_path}\"; write a path that starts and ends with /, like \"/pipelines/\"."
  }

  validation {
    condition     = var.function.permissions_boundary == null ? true : can(regex("^arn:[^:]+:iam::[^:]*:policy/.+$", var.function.permissions_boundary))
    error_message = "function.permissions_boundary is ${jsonencode(var.function.permissions_boundary)}; write the ARN of an IAM policy."
  }

  validation {
    condition = var.function.policy_json == null ? true : length(var.function.policy_json) <= 8192
    error_message = join(" ", [
      "function.policy_json has ${length(coalesce(var.function.policy_json, "-"))} characters; write at most 8192,",
      "since IAM takes 10240 in all of a role's inline policies.",
    ])
  }

  validation {
    condition = var.function.policy_json == null ? true : alltrue([
      for statement in try(flatten([jsondecode(var.function.policy_json).Statement]), [null]) : can(regex("^(Allow|Deny)$", statement.Effect))
    ])
    error_message = join(" ", [
      "function.policy_json is no IAM policy document;",
      "write JSON whose Statement is one or several objects with an Effect, such as data.aws_iam_policy_document.….json.",
    ])
  }

  # The one of two statements with one Sid would be lost.
  validation {
    condition = alltrue([
      for sids in [compact([for statement in try(flatten([jsondecode(var.function.policy_json).Statement]), []) : try(statement.Sid, "")])] :
      length(distinct(concat(local.own_sids.role, sids))) == length(local.own_sids.role) + length(sids)
    ])
    error_message = format(
      "function.policy_json has the Sid %s, which is the module's own or stands there twice; give each statement a Sid of its own.",
      join(", ", flatten([
        for sids in [compact([for statement in try(flatten([jsondecode(var.function.policy_json).Statement]), []) : try(statement.Sid, "")])] : [
          for sid in distinct(sids) : "\"${sid}\"" if contains(local.own_sids.role, sid) || length([for other in sids : other if other == sid]) > 1
        ]
      ])),
    )
  }

  # Here and not with delivery: table and topic wait for that variable, and so would for this one, in
  # which a team may well name them.
  validation {
    condition = (
      try(var.delivery.buffer.max_concurrency, null) == null || var.function.reserved_concurrency == null
      ? true
      : var.delivery.buffer.max_concurrency <= var.function.reserved_concurrency
    )
    error_message = join(" ", [
      "delivery.buffer.max_concurrency is ${jsonencode(try(var.delivery.buffer.max_concurrency, null))}",
      "and function.reserved_concurrency is ${jsonencode(var.function.reserved_concurrency)}:",
      "invokes beyond the latter are throttled and count as failed receives; write a max_concurrency that is not above it.",
    ])
  }

  validation {
    condition = var.delivery.buffer == null || var.function.reserved_concurrency == null ? true : var.function.reserved_concurrency >= 2
    error_message = join(" ", [
      "function.reserved_concurrency is ${jsonencode(var.function.reserved_concurrency)} and delivery.buffer is set:",
      "Lambda reads a queue with 2 invokes at a time at least; reserve 2 or more, or write delivery.paused = true to stop.",
    ])
  }
}
