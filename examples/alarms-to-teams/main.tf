provider "aws" {}

variable "tenant_id" {
  description = "Id of the Microsoft Teams tenant, such as 0f1b4c5e-0000-4000-8000-000000000000."
  type        = string
  nullable    = false
}

variable "team_id" {
  description = "Id of the team, which was authorised by hand, such as 74361522-0000-4000-8000-000000000000."
  type        = string
  nullable    = false
}

variable "channel_id" {
  description = "Id of the channel that gets the alarms, encoded as in its link, such as 19%3aab12%40thread.tacv2."
  type        = string
  nullable    = false
}

module "pipeline" {
  source = "../../"

  name_prefix = "teams-"
}

resource "aws_chatbot_teams_channel_configuration" "alarms" {
  configuration_name    = "teams-pipeline-alarms"
  tenant_id             = var.tenant_id
  team_id               = var.team_id
  channel_id            = var.channel_id
  sns_topic_arns        = [module.pipeline.topic_arn]
  iam_role_arn          = aws_iam_role.channel.arn
  guardrail_policy_arns = [aws_iam_policy.channel.arn]
  logging_level         = "ERROR"
}

# What the channel's members may do through the chat, and no more: without a guardrail AWS takes AdministratorAccess.
resource "aws_iam_policy" "channel" {
  # checkov:skip=CKV_AWS_355:CloudWatch shows metrics, graphs and composite alarms in no narrower scope.
  name   = "teams-pipeline-alarms-channel"
  policy = data.aws_iam_policy_document.channel.json
}

data "aws_iam_policy_document" "channel" {
  # checkov:skip=CKV_AWS_356:CloudWatch shows metrics, graphs and composite alarms in no narrower scope.
  statement {
    sid       = "ReadAlarmsAndTheirGraphs"
    actions   = ["cloudwatch:Describe*", "cloudwatch:Get*", "cloudwatch:List*"]
    resources = ["*"]
  }
}

resource "aws_iam_role" "channel" {
  name               = "teams-pipeline-alarms-channel"
  assume_role_policy = data.aws_iam_policy_document.chat.json
}

data "aws_iam_policy_document" "chat" {
  statement {
    sid     = "ChatUsesTheRole"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["chatbot.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy_attachment" "channel" {
  role       = aws_iam_role.channel.name
  policy_arn = aws_iam_policy.channel.arn
}

output "pipeline" {
  description = "Everything that the module tells about the pipeline."
  value       = module.pipeline
}
