data "aws_iam_policy_document" "pipeline" {
  # checkov:skip=CKV_AWS_111:X-Ray and the network interfaces of a VPC function know no narrower resource, and both are off by default.
  # checkov:skip=CKV_AWS_356:X-Ray and the network interfaces of a VPC function know no narrower resource, and both are off by default.
  # Merged, not a policy of its own: whether there is one may be known only at apply.
  # It takes a list of statements only, IAM also one by itself.
  source_policy_documents = var.role.policy_json == null ? [] : [
    jsonencode(merge(jsondecode(var.role.policy_json), { Statement = flatten([jsondecode(var.role.policy_json).Statement]) }))
  ]

  statement {
    sid       = "WriteRecords"
    actions   = ["dynamodb:PutItem", "dynamodb:BatchWriteItem"]
    resources = [var.table_arn]
  }

  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${var.log_group_arn}:*"]
  }

  statement {
    sid       = "HandOverFailures"
    actions   = ["sqs:SendMessage"]
    resources = [var.failure_queue_arn]
  }

  dynamic "statement" {
    for_each = var.buffer_arn == null ? [] : [var.buffer_arn]

    content {
      sid       = "ReadBuffer"
      actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
      resources = [statement.value]
    }
  }

  dynamic "statement" {
    for_each = length(var.read_objects_of) == 0 ? [] : [var.read_objects_of]

    content {
      sid       = "ReadObjects"
      actions   = ["s3:GetObject", "s3:GetObjectVersion"]
      resources = [for arn in statement.value : "${arn}/*"]
    }
  }

  dynamic "statement" {
    for_each = var.kms.enabled ? [1] : []

    content {
      sid       = "OpenTableAndQueues"
      actions   = ["kms:Decrypt"]
      resources = [var.kms.key_arn]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = var.kms.via
      }
    }
  }

  # DynamoDB makes a table's key by itself, when the table is made; whoever writes only opens it.
  # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html#dynamodb-cmk-trail
  dynamic "statement" {
    for_each = var.kms.enabled ? [1] : []

    content {
      sid       = "SealMessages"
      actions   = ["kms:GenerateDataKey"]
      resources = [var.kms.key_arn]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = [for service in var.kms.via : service if startswith(service, "sqs.")]
      }
    }
  }

  dynamic "statement" {
    for_each = var.kms.enabled && var.kms.via_objects != null ? [1] : []

    content {
      sid       = "OpenObjects"
      actions   = ["kms:Decrypt"]
      resources = [var.kms.key_arn]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = [var.kms.via_objects]
      }
    }
  }

  dynamic "statement" {
    for_each = var.tracing ? [1] : []

    content {
      sid       = "SendTraces"
      actions   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
      resources = ["*"]
    }
  }

  dynamic "statement" {
    for_each = var.vpc ? [1] : []

    content {
      sid       = "ManageNetworkInterfaces"
      actions   = local.network_interface_actions
      resources = ["*"]
    }
  }

  dynamic "statement" {
    for_each = var.vpc ? [1] : []

    content {
      sid       = "NoNetworkInterfacesFromCode"
      effect    = "Deny"
      actions   = local.network_interface_actions
      resources = ["*"]

      # The service makes these calls with the role, the code never does: only the code's carry this key.
      condition {
        test     = "ArnEquals"
        variable = "lambda:SourceFunctionArn"
        values   = [var.function_arn]
      }
    }
  }
}

locals {
  network_interface_actions = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
  ]
}
