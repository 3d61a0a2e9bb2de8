provider "aws" {}

variable "slack_team_id" {
  description = "Id of the Slack workspace, which was authorised by hand, such as T07EA123LEP."
  type        = string
  nullable    = false
}

variable "slack_channel_id" {
  description = "Id of the channel that gets the alarms, such as C07EZ1ABC23."
  type        = string
  nullable    = false
}

module "pipeline" {
  source = "../../"

  name_prefix = "slack-"
}

resource "aws_chatbot_slack_channel_configuration" "alarms" {
  configuration_name    = "slack-pipeline-alarms"
  slack_team_id         = var.slack_team_id
  slack_channel_id      = var.slack_channel_id
  sns_topic_arns        = [module.pipeline.topic_arn]
  iam_role_arn          = aws_iam_role.channel.arn
  guardrail_policy_arns = [aws_iam_policy.channel.arn]
  logging_level         = "ERROR"
}

# What the channel's members may do through the chat, and no more: without a guardrail AWS takes AdministratorAccess.
resource "aws_iam_policy" "channel" {
  # checkov:skip=CKV_AWS_355:CloudWatch shows metrics, graphs and composite alarms in no narrower scope.
  name   = "slack-pipeline-alarms-channel"
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
  name               = "slack-pipeline-alarms-channel"
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
