"""While the delivery of a live stack changes, nothing is lost, doubled or recreated."""

import pytest

from tests.support.stacks.switching import STEPS, Report


def test_while_delivery_changes_no_upload_is_lost_or_counted_twice(switched: Report) -> None:
    assert len(switched.uploaded) > 100
    # An upload has one record, whichever delivery took it, or both.
    assert switched.records == dict.fromkeys(switched.uploaded, 1)


@pytest.mark.parametrize("step", [name for name, _ in STEPS[1:]])
def test_a_change_of_delivery_recreates_neither_table_nor_bucket_nor_function(
    switched: Report, step: str
) -> None:
    kept = (
        "aws_dynamodb_table.this",
        "aws_s3_bucket.this",
        "aws_lambda_function.this",
        "aws_sqs_queue.failures",
        "aws_iam_role.this",
    )
    ended = {
        address: action
        for address, action in switched.changed[step].items()
        if action in ("delete", "replace") and any(name in address for name in kept)
    }
    assert ended == {}
