resource "aws_kms_key" "this" {
  count = var.key.create ? 1 : 0

  description             = "Encrypts the event-driven pipeline: bucket, table, topic, queues and logs."
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key.json
  tags                    = var.tags

  lifecycle {
    # Whatever it encrypts has left it before it goes.
    create_before_destroy = true
  }
}

resource "aws_kms_alias" "this" {
  count = var.key.create ? 1 : 0

  name          = "alias/${var.key.name}"
  target_key_id = aws_kms_key.this[0].key_id
}
