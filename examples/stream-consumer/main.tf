provider "aws" {}

module "pipeline" {
  source = "../../"

  name_prefix = "notices-"
}

output "pipeline" {
  description = "Everything that the module tells about the pipeline."
  value       = module.pipeline
}

output "consumer" {
  description = "Who reads the table's stream: names of function and log group, URL of the queue that names what it gave up."
  value = {
    function_name     = aws_lambda_function.consumer.function_name
    log_group_name    = aws_cloudwatch_log_group.consumer.name
    failure_queue_url = aws_sqs_queue.given_up.url
  }

  depends_on = [aws_lambda_event_source_mapping.consumer]
}
