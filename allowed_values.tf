# What the validations of the variables compare with: constants, since a local that is made from a
# variable can't be used in that variable's own validation.
locals {
  # Whole numbers, from least to most.
  bounds = {
    bucket = {
      abort_multipart_days = { least = 1, most = 2147483647, write = "a whole number of days, 1 or more" }
      noncurrent_days      = { least = 1, most = 2147483647, write = "a whole number of days, 1 or more" }
    }
    delivery = {
      max_retries           = { least = 0, most = 2, write = "0, 1 or 2, which is all that Lambda offers" }
      max_event_age_seconds = { least = 60, most = 21600, write = "60 to 21600 seconds" }
    }
    buffer = {
      batch_size        = { least = 1, most = 10000, write = "a whole number of messages, 1 to 10000" }
      window_seconds    = { least = 0, most = 300, write = "a whole number of seconds, 0 to 300" }
      max_concurrency   = { least = 2, most = 1000, write = "a whole number of invokes at a time, 2 to 1000, or leave it out for no limit" }
      max_receive_count = { least = 1, most = 1000, write = "how often a message is tried before it goes to the failure queue, 1 to 1000" }
      retention_days    = { least = 1, most = 14, write = "a whole number of days, 1 to 14" }
    }
    function = {
      memory_mb            = { least = 128, most = 10240, write = "a whole number of MB, 128 to 10240" }
      timeout_seconds      = { least = 1, most = 900, write = "a whole number of seconds, 1 to 900" }
      reserved_concurrency = { least = 0, most = 2147483647, write = "a whole number, 0 or more, or leave it out for the account's shared pool" }
    }
    hook = {
      concurrency = { least = 1, most = 64, write = "a whole number of calls at a time, 1 to 64" }
    }
    table = {
      write_units = { least = 1, most = 1000000, write = "a whole number of units a second, 1 or more (25 are free)" }
      read_units  = { least = 1, most = 1000000, write = "a whole number of units a second, 1 or more (25 are free)" }
      ttl_hours   = { least = 1, most = 876000, write = "a whole number of hours, 1 or more (876000 is a century)" }
    }
  }

  notification_events = [
    "s3:ObjectCreated:*",
    "s3:ObjectCreated:CompleteMultipartUpload",
    "s3:ObjectCreated:Copy",
    "s3:ObjectCreated:Post",
    "s3:ObjectCreated:Put",
    "s3:ObjectRemoved:*",
    "s3:ObjectRemoved:Delete",
    "s3:ObjectRemoved:DeleteMarkerCreated",
    "s3:ObjectRestore:*",
    "s3:ObjectRestore:Completed",
    "s3:ObjectRestore:Delete",
    "s3:ObjectRestore:Post",
    "s3:ObjectTagging:*",
    "s3:ObjectTagging:Delete",
    "s3:ObjectTagging:Put",
    "s3:ObjectAcl:Put",
    "s3:ObjectAnnotation:*",
    "s3:ObjectAnnotation:Delete",
    "s3:ObjectAnnotation:Put",
    "s3:ObjectRetention:Put",
    "s3:IntelligentTiering",
    "s3:LifecycleExpiration:*",
    "s3:LifecycleExpiration:Delete",
    "s3:LifecycleExpiration:DeleteMarkerCreated",
    "s3:LifecycleTransition",
    "s3:ReducedRedundancyLostObject",
    "s3:Replication:*",
    "s3:Replication:OperationFailedReplication",
    "s3:Replication:OperationMissedThreshold",
    "s3:Replication:OperationNotTracked",
    "s3:Replication:OperationReplicatedAfterThreshold",
  ]

  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventBridge.html
  eventbridge_events = [
    for event in local.notification_events : event
    if !can(regex("^s3:(ObjectAnnotation|ObjectRetention|ReducedRedundancyLostObject|Replication)", event))
  ]

  log_retention_days = [
    0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
  ]

  # What urlencode() encodes and S3's guide does not, with the slash.
  unencoded_marks = "/%(2F|21|27|28|29|2A)/"

  # The statements of modules/iam/policy.tf and modules/s3/policy.tf.
  own_sids = {
    role = [
      "WriteRecords", "WriteLogs", "HandOverFailures", "ReadBuffer", "ReadObjects", "OpenTableAndQueues", "SealMessages",
      "OpenObjects", "SendTraces", "ManageNetworkInterfaces", "NoNetworkInterfacesFromCode",
    ]
    bucket = ["TlsOnly"]
  }

  # The rules of modules/s3/main.tf.
  own_lifecycle_rules = ["abort-multipart-uploads", "expire-old-versions"]
  # The fewest days after which S3 moves an object there.
  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html
  storage_classes = {
    DEEP_ARCHIVE = 0, GLACIER = 0, GLACIER_IR = 0, INTELLIGENT_TIERING = 0, ONEZONE_IA = 30, STANDARD_IA = 30,
  }

  notification_target_pattern = join("|", [
    "^arn:[^:]+:(sqs|sns):[^:]+:[0-9]{12}:[A-Za-z0-9_-]+$",
    "^arn:[^:]+:lambda:[^:]+:[0-9]{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9$_-]+)?$",
  ])

  layer_pattern = "^arn:[^:]+:lambda:[^:]+:[0-9]{12}:layer:[A-Za-z0-9_-]+:[0-9]+$"

  tag_patterns = {
    key   = "^[\\p{L}\\p{Z}\\p{N}_.:/=+@-]{1,128}$"
    value = "^[\\p{L}\\p{Z}\\p{N}_.:/=+@-]{0,256}$"
  }

  email_pattern = "^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\\.)+[A-Za-z]{2,}$"
  endpoint_patterns = {
    email      = local.email_pattern
    email-json = local.email_pattern
    https      = "^https://[!-~]+$"
    lambda     = "^arn:[^:]+:lambda:[^:]+:[0-9]{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9$_-]+)?$"
    sms        = "^\\+[1-9][0-9]{6,14}$"
    sqs        = "^arn:[^:]+:sqs:[^:]+:[0-9]{12}:[A-Za-z0-9_-]+$"
  }

  # https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html, and this module's own.
  reserved_environment = [
    "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API", "AWS_REGION", "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT", "RECORD_HOOK",
    "RECORD_HOOK_CONCURRENCY", "TABLE_NAME", "TTL_SECONDS",
  ]

  # The files of lambda_src, which Python finds before a layer's.
  own_modules = [
    "answer", "batch_operations", "dynamodb", "events", "hooks", "http11", "lambda_function", "logs", "records", "service", "sigv4",
    "trust", "typed",
  ]
}
