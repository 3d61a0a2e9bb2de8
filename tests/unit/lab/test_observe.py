"""What the lab counts and how long it waits."""

import pytest

from pipeline.lab.observe import NotSeenError, item_bytes, wait_for


def test_waiting_ends_with_the_first_answer() -> None:
    answers = iter([None, None, "seen"])
    assert wait_for(lambda: next(answers), "the answer") == "seen"


def test_what_does_not_show_in_time_is_named() -> None:
    with pytest.raises(NotSeenError, match="the answer did not show within 0 s"):
        wait_for(lambda: None, "the answer", seconds=0.01)


@pytest.mark.parametrize(
    ("item", "size"),
    [
        ({"ab": {"S": "cd"}}, 4),
        ({"größe": {"S": "ü"}}, 9),
        ({"n": {"N": "0"}}, 2),
        ({"n": {"N": "1795359894"}}, 7),
        ({"n": {"N": "1000"}}, 3),
        ({"n": {"N": "-12.5"}}, 4),
    ],
)
def test_an_items_size_is_what_dynamodb_documents(
    item: dict[str, dict[str, str]], size: int
) -> None:
    assert item_bytes(item) == size
