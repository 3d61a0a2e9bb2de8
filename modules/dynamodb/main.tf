locals {
  provisioned = var.table.billing_mode == "PROVISIONED"
  write_units = local.provisioned ? var.table.write_units : null
  read_units  = local.provisioned ? var.table.read_units : null
}

resource "aws_dynamodb_table" "this" {
  # checkov:skip=CKV_AWS_28:Point-in-time recovery costs money; table.point_in_time_recovery switches it on.
  # checkov:skip=CKV_AWS_119:The AWS-owned key encrypts at no cost; a customer-managed key costs a dollar a month.
  # checkov:skip=CKV2_AWS_16:Autoscaling would leave the always-free 25 units.
  name                        = terraform_data.kept_name.input
  billing_mode                = var.table.billing_mode
  write_capacity              = local.write_units
  read_capacity               = local.read_units
  hash_key                    = "objectId"
  stream_enabled              = true
  stream_view_type            = var.table.stream_view_type
  deletion_protection_enabled = var.table.deletion_protection
  tags                        = var.tags

  attribute {
    name = "objectId"
    type = "S"
  }

  dynamic "attribute" {
    for_each = var.table.object_index ? { objectKey = "S", timestamp = "N" } : {}

    content {
      name = attribute.key
      type = attribute.value
    }
  }

  dynamic "global_secondary_index" {
    for_each = var.table.object_index ? ["ObjectKeyIndex"] : []

    content {
      name            = global_secondary_index.value
      hash_key        = "objectKey"
      range_key       = "timestamp"
      projection_type = "ALL"
      write_capacity  = local.write_units
      read_capacity   = local.read_units
    }
  }

  ttl {
    attribute_name = "ttl"
    enabled        = true
  }

  # Always there: the provider does not see a block that went, and the table would stay on a key that
  # the same apply deletes.
  server_side_encryption {
    enabled     = var.kms.enabled
    kms_key_arn = var.kms.key_arn
  }

  point_in_time_recovery {
    enabled = var.table.point_in_time_recovery
  }
}

# The table's name is the one it was made with, also where a plan does not know the name yet: another
# name would replace it, and its records go with it. `-replace` takes the new one.
resource "terraform_data" "kept_name" {
  input = var.table.name

  lifecycle {
    ignore_changes = [input]

    postcondition {
      condition = self.input == var.table.name
      error_message = join(" ", [
        "The table \"${self.input}\" would be deleted with its records and an empty one made as \"${var.table.name}\".",
        "To keep it, write table.name = \"${self.input}\".",
        "To give it up, copy its records, switch table.deletion_protection off, then run",
        "terraform apply -replace='….module.table.terraform_data.kept_name' (terraform state list shows the whole address).",
      ])
    }
  }
}
