terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # 6.29.0 crashes on the table's dynamic block; what to know of others: docs/reference/compatibility.md.
      version = ">= 5.100, != 6.29.0, < 7.0"
    }
  }
}
