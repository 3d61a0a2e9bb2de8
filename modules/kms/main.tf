resource "aws_kms_key" "this" {
  count = var.create ? 1 : 0

  description             = "Encrypts the event-driven pipeline: bucket, table, topic, queues and logs."
  enable_key_rotation     = true
  deletion_window_in_days = 30
  tags                    = var.tags

  lifecycle {
    # Whatever it encrypts has left it before it goes.
    create_before_destroy = true
  }
}

# Apart from the key, so that a table waits for its key and not for everything that the policy names:
# a team's own function may well be told the table's name.
resource "aws_kms_key_policy" "this" {
  count = var.create ? 1 : 0

  key_id = aws_kms_key.this[0].key_id
  policy = data.aws_iam_policy_document.key.json

  lifecycle {
    # Deleting it brings KMS's default policy back, which shuts out the services.
    create_before_destroy = true
  }
}

resource "aws_kms_alias" "this" {
  count = var.create ? 1 : 0

  name          = "alias/${var.alias}"
  target_key_id = aws_kms_key.this[0].key_id
}
