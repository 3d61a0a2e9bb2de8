variable "table" {
  # BEGIN description
  description = <<-EOT
    The DynamoDB table that holds one record per event.

    - `name` (`S3ObjectEvents`): Name of the table. On a running pipeline the plan refuses another name, which would
      make a new, empty table.
    - `billing_mode` (`"PROVISIONED"`): How capacity is paid: `PROVISIONED` reserves `write_units` and `read_units`,
      `PAY_PER_REQUEST` takes any load and bills each request. Known at plan.
    - `write_units` (`5`): Writes that are reserved, in units a second. A record of up to 1 KB takes one. 25 units are
      free in an account. Known at plan with `PROVISIONED`.
    - `read_units` (`5`): Reads that are reserved, in units a second, for whoever reads the table: the function does
      not. 25 units are free in an account. Known at plan with `PROVISIONED`.
    - `ttl_hours` (`24`): Hours from an event until its record expires. DynamoDB deletes an expired record within about
      two days. A change applies to new records.
    - `stream_view_type` (`"NEW_IMAGE"`): What the table's stream says of a change: `NEW_IMAGE` (the new item),
      `OLD_IMAGE` (the former), `NEW_AND_OLD_IMAGES` or `KEYS_ONLY`. Known at plan.
    - `point_in_time_recovery` (`false`): Whether DynamoDB keeps continuous backups, to restore the table as it was at
      any second of the last 35 days. They cost money.
    - `deletion_protection` (`false`): Whether DynamoDB refuses to delete the table. Set it back to `false` and apply
      before you destroy the stack.
    - `object_index` (`false`): Whether the table has the index `ObjectKeyIndex`, which finds the records of an object
      key by time. It reserves as many units as the table. Known at plan.
  EOT
  # END description
  type = object({
    # Name of the table. On a running pipeline the plan refuses another name, which would make a new, empty table.
    name = optional(string) # `S3ObjectEvents`
    # How capacity is paid: `PROVISIONED` reserves `write_units` and `read_units`, `PAY_PER_REQUEST` takes any load and bills each request.
    # Known at plan.
    billing_mode = optional(string, "PROVISIONED")
    # Writes that are reserved, in units a second. A record of up to 1 KB takes one. 25 units are free in an account.
    # Known at plan with `PROVISIONED`.
    write_units = optional(number, 5)
    # Reads that are reserved, in units a second, for whoever reads the table: the function does not. 25 units are free in an account.
    # Known at plan with `PROVISIONED`.
    read_units = optional(number, 5)
    # Hours from an event until its record expires. DynamoDB deletes an expired record within about two days. A change applies to new records.
    ttl_hours = optional(number, 24)
    # What the table's stream says of a change: `NEW_IMAGE` (the new item), `OLD_IMAGE` (the former), `NEW_AND_OLD_IMAGES` or `KEYS_ONLY`.
    # Known at plan.
    stream_view_type = optional(string, "NEW_IMAGE")
    # Whether DynamoDB keeps continuous backups, to restore the table as it was at any second of the last 35 days. They cost money.
    point_in_time_recovery = optional(bool, false)
    # Whether DynamoDB refuses to delete the table. Set it back to `false` and apply before you destroy the stack.
    deletion_protection = optional(bool, false)
    # Whether the table has the index `ObjectKeyIndex`, which finds the records of an object key by time. It reserves as many units as the table.
    # Known at plan.
    object_index = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.table.name == null ? true : can(regex("^[A-Za-z0-9_.-]{3,255}$", var.table.name))
    error_message = "table.name is ${jsonencode(var.table.name)}; write 3 to 255 of A-Z, a-z, 0-9, _, . and -."
  }

  validation {
    condition     = contains(["PROVISIONED", "PAY_PER_REQUEST"], var.table.billing_mode)
    error_message = "table.billing_mode is \"${var.table.billing_mode}\"; write PROVISIONED (free up to 25 units) or PAY_PER_REQUEST."
  }

  validation {
    condition = alltrue([
      for name, bound in local.bounds.table : var.table[name] == min(max(floor(var.table[name]), bound.least), bound.most)
    ])
    error_message = join("\n", [
      for name, bound in local.bounds.table : "table.${name} is ${var.table[name]}; write ${bound.write}."
      if var.table[name] != min(max(floor(var.table[name]), bound.least), bound.most)
    ])
  }

  validation {
    condition     = contains(["NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES", "KEYS_ONLY"], var.table.stream_view_type)
    error_message = "table.stream_view_type is \"${var.table.stream_view_type}\"; write NEW_IMAGE, OLD_IMAGE, NEW_AND_OLD_IMAGES or KEYS_ONLY."
  }
}
