mock_provider "aws" {
  # Relative to the root. With the module from a registry or git: .terraform/modules/pipeline/tests/mocks.
  source = "../../tests/mocks"
}

run "the_pipeline_is_the_teams_and_costs_nothing" {
  command = plan

  assert {
    condition     = module.pipeline.function_name == "orders-S3ToDynamoProcessor"
    error_message = "The function is ${module.pipeline.function_name}."
  }

  assert {
    condition     = alltrue([for name in module.pipeline.alarm_names : startswith(name, "orders-")])
    error_message = "The alarms are ${join(", ", module.pipeline.alarm_names)}."
  }

  assert {
    condition     = [for filter in module.pipeline.delivery.filters : "${filter.prefix}*${filter.suffix}"] == ["inbox/*.json"]
    error_message = "The filters are ${jsonencode(module.pipeline.delivery.filters)}."
  }

  assert {
    condition     = length(module.pipeline.free_tier_exceptions) == 0
    error_message = join("\n", module.pipeline.free_tier_exceptions)
  }
}

run "somebody_is_told_when_as_many_wait_as_was_asked" {
  command = plan

  variables {
    most_waiting = 200
  }

  assert {
    condition     = module.pipeline.alarms["backlog"].threshold == 200
    error_message = "The alarm's threshold is ${module.pipeline.alarms["backlog"].threshold} messages."
  }
}

run "a_team_that_no_bucket_can_be_named_after_is_refused" {
  command = plan

  variables {
    team = "Orders_EU"
  }

  expect_failures = [var.team]
}

# What only AWS tells is known after an apply alone, and comes from the mocks.
run "it_applies" {
  assert {
    condition     = startswith(module.pipeline.table_stream_arn, "arn:aws:dynamodb:")
    error_message = "The stream is ${module.pipeline.table_stream_arn}."
  }
}
