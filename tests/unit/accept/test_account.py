"""Where a run refuses to begin."""

from types import SimpleNamespace

import pytest

from pipeline.accept import account
from pipeline.accept.sandbox import LostError, explained
from pipeline.errors import PipelineError


@pytest.mark.parametrize(
    "name", ["prod", "acme-prod", "prd1", "Production", "acme_PROD_eu", "a.prd"]
)
def test_a_name_of_production_is_refused(name: str) -> None:
    with pytest.raises(PipelineError, match=f"The account alias '{name}' looks like production"):
        account.refuse_production({"profile": [""], "account alias": [name]})


@pytest.mark.parametrize("name", ["", "nonprod", "non-prod", "pre-prod", "product-dev", "sandbox"])
def test_other_names_are_taken(name: str) -> None:
    account.refuse_production({"profile": [name]})


def functions(limit: int) -> SimpleNamespace:
    answer = {"AccountLimit": {"UnreservedConcurrentExecutions": limit}}
    return SimpleNamespace(get_account_settings=lambda: answer)


def test_a_new_account_with_ten_invokes_has_room_for_two_pipelines() -> None:
    account.check_room(2, "us-east-1", functions(10))
    with pytest.raises(PipelineError, match=r"10 functions at a time .* need 15: .*--only"):
        account.check_room(3, "us-east-1", functions(10))


@pytest.mark.parametrize(
    "text",
    [
        "User: arn:aws:iam::1:user/a is not authorized to perform: sns:CreateTopic on resource: x",
        "Error: creating SNS Topic: not authorized\nto perform:  sns:CreateTopic because no policy",
    ],
)
def test_a_right_that_is_missing_is_named(text: str) -> None:
    sentence = explained(PipelineError(text.replace("authorized\nto", "authorized to")))
    assert str(sentence).startswith("These credentials lack the right to sns:CreateTopic: ")


@pytest.mark.parametrize("text", ["ExpiredToken: x", "dial tcp 1.2.3.4: connect: refused"])
def test_a_session_that_is_over_says_how_to_go_on(text: str) -> None:
    sentence = explained(PipelineError(f"Error: {text}"))
    assert isinstance(sentence, LostError)
    assert "--resume" in str(sentence)
    assert "--clean" in str(sentence)
