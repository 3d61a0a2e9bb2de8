"""Which of Terraform's warnings count as errors."""

from typing import Any

from pipeline.terraform.diagnostics import deprecations, errors


def diagnostic(severity: str, summary: str, detail: str = "") -> dict[str, Any]:
    place = {"filename": "main.tf", "start": {"line": 7}}
    return {"severity": severity, "summary": summary, "detail": detail, "range": place}


OLD = diagnostic("warning", "Argument is deprecated", "acl is deprecated.\nUse another.")


def test_what_is_deprecated_is_named_once_with_its_place() -> None:
    expected = ["main.tf:7: Argument is deprecated: acl is deprecated. Use another."]
    assert deprecations([OLD, OLD]) == expected
    assert errors([OLD]) == []


def test_other_warnings_are_let_through() -> None:
    assert deprecations([diagnostic("warning", "Check block assertion failed", "A dollar.")]) == []


def test_an_error_is_named_even_without_a_place() -> None:
    error = {"severity": "error", "summary": "No provider", "detail": ""}
    assert errors([error]) == ["No provider"]


def test_the_keys_of_an_index_have_no_successor_that_both_ends_of_the_range_know() -> None:
    text = "{} is deprecated. Use key_schema instead."
    for key in ("hash_key", "range_key"):
        warning = diagnostic("warning", "Argument is deprecated", text.format(key))
        assert deprecations([warning]) == []
