# Each service that uses the key by itself, for one purpose: whatever acts with somebody's own rights
# (SQS, SNS and DynamoDB do) needs none here.
data "aws_iam_policy_document" "statements" {
  statement {
    sid       = "PipelineLogs"
    actions   = ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["logs.${var.users.region}.${var.users.dns_suffix}"]
    }

    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
    condition {
      test     = "ArnEquals"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values   = [var.users.log_group_arn]
    }
  }

  dynamic "statement" {
    for_each = var.users.topic ? [1] : []

    content {
      sid       = "PipelineAlarmsToTopic"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
      resources = ["*"]

      principals {
        type        = "Service"
        identifiers = ["cloudwatch.amazonaws.com"]
      }

      # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
      condition {
        test     = "ArnLike"
        variable = "aws:SourceArn"
        values   = [var.users.alarm_arns]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [var.users.account_id]
      }
    }
  }

  dynamic "statement" {
    for_each = var.users.notifying_bucket_arn == null ? [] : [var.users.notifying_bucket_arn]

    content {
      sid       = "PipelineBucketToBuffer"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = ["*"]

      principals {
        type        = "Service"
        identifiers = ["s3.amazonaws.com"]
      }

      # https://docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html
      condition {
        test     = "ArnEquals"
        variable = "aws:SourceArn"
        values   = [statement.value]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [var.users.account_id]
      }
    }
  }

  # Without a condition, as AWS's page has it: it is not known that EventBridge's source reaches KMS,
  # and if it did not, nothing would arrive, not even failures. The queues' own policies name the rule.
  # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-troubleshooting.html#eb-sqs-encrypted
  dynamic "statement" {
    for_each = var.users.rule ? [1] : []

    content {
      sid       = "PipelineRuleToQueues"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = ["*"]

      principals {
        type        = "Service"
        identifiers = ["events.amazonaws.com"]
      }
    }
  }

  # As AWS's own keys do for their service: whoever may upload or download need not know of the key.
  dynamic "statement" {
    for_each = var.users.bucket_arn == null ? [] : [var.users.bucket_arn]

    content {
      sid       = "PipelineObjectsOfBucket"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = ["*"]

      principals {
        type        = "AWS"
        identifiers = ["*"]
      }

      condition {
        test     = "StringEquals"
        variable = "kms:CallerAccount"
        values   = [var.users.account_id]
      }

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["s3.${var.users.region}.${var.users.dns_suffix}"]
      }

      # With a bucket key the context is the bucket.
      condition {
        test     = "ArnLike"
        variable = "kms:EncryptionContext:aws:s3:arn"
        values   = [statement.value, "${statement.value}/*"]
      }
    }
  }

  # IAM decides who of the account uses table, queues and topic, this key with them.
  statement {
    sid       = "PipelineThroughIam"
    actions   = ["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${var.users.partition}:iam::${var.users.account_id}:root"]
    }

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [for service in ["dynamodb", "sns", "sqs"] : "${service}.${var.users.region}.${var.users.dns_suffix}"]
    }
  }
}

data "aws_iam_policy_document" "key" {
  # checkov:skip=CKV_AWS_109:A key's policy names the key itself as *, and its account must be able to administer it.
  # checkov:skip=CKV_AWS_111:In a key's policy * is the key itself, to which each statement is bound anyway.
  # checkov:skip=CKV_AWS_356:In a key's policy * is the key itself, and the only resource that it takes.
  source_policy_documents = [data.aws_iam_policy_document.statements.json]

  # Without it nobody could change or delete the key, and IAM policies would not count.
  statement {
    sid       = "AccountAdministers"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${var.users.partition}:iam::${var.users.account_id}:root"]
    }
  }
}
