"""Log lines become invokes, whichever format they have and however they are mixed."""

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.deployed.invokes import Invoke, Invokes, NotStored

ONE = "11111111-1111-4111-8111-111111111111"
TWO = "22222222-2222-4222-8222-222222222222"
AT = 1_795_600_000_000


def line(text: object, at: int = 0, stream: str = "s", event_id: str | None = None) -> Any:
    """An event of FilterLogEvents, `at` in milliseconds after the first; an object becomes JSON."""
    found = text if isinstance(text, str) else json.dumps(text)
    event = {"logStreamName": stream, "timestamp": AT + at, "message": found}
    return event if event_id is None else event | {"eventId": event_id}


def done(request: str, **fields: Any) -> dict[str, Any]:
    """The function's own last line."""
    return {
        "timestamp": "2026-11-25T10:00:00.123+00:00",
        "level": "INFO",
        "message": "Invoke done",
        "received": 1,
        "stored": 1,
        "failed": 0,
        "milliseconds": 12.5,
        "coldStart": True,
        "requestId": request,
        "objectIds": ["a"],
    } | fields


def platform(kind: str, request: str, **record: Any) -> dict[str, Any]:
    """One of Lambda's lines in its JSON format."""
    return {
        "time": "2026-11-25T10:00:00.123Z",
        "type": f"platform.{kind}",
        "record": {"requestId": request, **record},
    }


def only(invokes: Invokes) -> Invoke:
    (invoke,) = invokes.newest()
    return invoke


def test_an_invocation_is_read_from_lambdas_text_format() -> None:
    invokes = Invokes()
    changed = invokes.add(
        [
            line("INIT_START Runtime Version: python:3.12.v38\n"),
            line(f"START RequestId: {ONE} Version: $LATEST\n", 1),
            line("a line of the function", 2),
            line(f"END RequestId: {ONE}\n", 3),
            line(
                f"REPORT RequestId: {ONE}\tDuration: 102.25 ms\tBilled Duration: 103 ms\t"
                "Memory Size: 256 MB\tMax Memory Used: 40 MB\tInit Duration: 80.12 ms\t\n",
                4,
            ),
        ]
    )
    invoke = only(invokes)
    assert changed == [invoke]
    assert (invoke.request, invoke.milliseconds, invoke.ended) == (ONE, 102.25, True)
    assert (invoke.level, invoke.failing, invoke.at) == ("INFO", False, AT + 4)
    assert [text.split()[0] for _, _, text in invoke.lines] == [
        "INIT_START",
        "START",
        "a",
        "END",
        "REPORT",
    ]


def test_an_invocation_is_read_from_lambdas_json_format() -> None:
    invokes = Invokes()
    init = {"time": "2026-11-25T10:00:00.000Z", "type": "platform.initStart", "record": {}}
    report = platform("report", ONE, status="success", metrics={"durationMs": 33.5})
    invokes.add([line(init), line(platform("start", ONE)), line("{}"), line(report)])
    invoke = only(invokes)
    assert (invoke.request, invoke.milliseconds, invoke.ended) == (ONE, 33.5, True)
    assert len(invoke.lines) == 4
    assert not invoke.failing


def test_the_functions_own_line_has_what_it_stored() -> None:
    invokes = Invokes()
    refused = {
        "level": "ERROR",
        "message": "Record not stored",
        "reason": "throttled",
        "bucket": "b",
        "key": "<script>",
        "objectId": "x",
    }
    invokes.add([line(refused), line(done(ONE, failed=1, stored=0, objectIds=["a", "b"]))])
    invoke = only(invokes)
    assert (invoke.received, invoke.stored, invoke.failed, invoke.cold_start) == (1, 0, 1, True)
    assert (invoke.object_ids, invoke.milliseconds) == (["a", "b"], 12.5)
    assert invoke.not_stored == [NotStored("b", "<script>", "x", "throttled")]
    assert invoke.failing
    assert invoke.done_at == 1_795_600_800_123
    # Only Lambda's own line ends it.
    assert not invoke.ended


def test_the_functions_own_duration_counts_more_than_lambdas() -> None:
    invokes = Invokes()
    report = f"REPORT RequestId: {ONE}\tDuration: 99.00 ms\t"
    invokes.add([line(done(ONE)), line(report)])
    assert only(invokes).milliseconds == 12.5


@pytest.mark.parametrize(
    "lines",
    [
        [f"2026-11-25T10:00:30.012Z {ONE} Task timed out after 30.03 seconds\n"],
        [f"REPORT RequestId: {ONE}\tDuration: 30000.00 ms\tStatus: timeout"],
        [f"REPORT RequestId: {ONE}\tDuration: 9.00 ms\tStatus: error\tError Type: Runtime.Exit"],
        [f"START RequestId: {ONE}", "[ERROR] KeyError: 'x'\nTraceback (most recent call last):"],
        [f"[CRITICAL] {ONE} found", f"START RequestId: {ONE}"],
        [platform("report", ONE, status="timeout", metrics={"durationMs": 30000})],
        [platform("runtimeDone", ONE, status="failure")],
        [{"level": "CRITICAL", "requestId": ONE}],
        [{"log_level": "error", "requestId": ONE}],
    ],
)
def test_an_invocation_that_failed_is_failing_in_every_format(lines: list[Any]) -> None:
    invokes = Invokes()
    invokes.add([line(text, number) for number, text in enumerate(lines)])
    assert only(invokes).failing


@pytest.mark.parametrize("found", ["[WARNING] careful", {"level": "WARNING"}, {"level": "warn"}])
def test_a_warning_is_not_a_failure(found: Any) -> None:
    invokes = Invokes()
    invokes.add([line(f"START RequestId: {ONE}"), line(found, 1)])
    assert (only(invokes).level, only(invokes).failing) == ("WARN", False)


def test_lines_without_a_request_belong_to_the_one_that_their_stream_runs() -> None:
    invokes = Invokes()
    invokes.add(
        [
            line(f"START RequestId: {ONE}", 0, "left"),
            line(f"START RequestId: {TWO}", 1, "right"),
            line("of the first", 2, "left"),
            line("of the second", 3, "right"),
            line(f"REPORT RequestId: {ONE}\tDuration: 1.00 ms", 4, "left"),
            line("of nobody yet", 5, "left"),
            line("also of the second", 6, "right"),
        ]
    )
    found = {invoke.request: [text for _, _, text in invoke.lines] for invoke in invokes.newest()}
    assert "of the first" in found[ONE]
    assert found[TWO][1:] == ["of the second", "also of the second"]
    third = "33333333-3333-4333-8333-333333333333"
    invokes.add([line(f"START RequestId: {third}", 7, "left")])
    assert invokes.newest()[-1].lines[0][2] == "of nobody yet"


def test_lines_of_a_second_attempt_belong_to_it_and_not_to_the_next_request() -> None:
    invokes = Invokes()
    attempt = [
        line(f"START RequestId: {ONE}", 0),
        line(f"REPORT RequestId: {ONE}\tDuration: 5.00 ms", 1),
    ]
    again = [
        line(f"START RequestId: {ONE}", 60_000),
        line("[ERROR] ValueError", 60_001),
        line(f"REPORT RequestId: {ONE}\tDuration: 7.00 ms", 60_002),
    ]
    invokes.add([*attempt, *again, line(f"START RequestId: {TWO}", 60_003)])
    first, second = invokes.newest()
    assert (first.request, first.failing, first.milliseconds) == (ONE, True, 7.0)
    assert (second.request, second.failing) == (TWO, False)


def test_an_event_that_was_read_before_changes_nothing() -> None:
    invokes = Invokes()
    with_id = [line(done(ONE), 0, event_id="1"), line("x", 0, event_id="2")]
    without = [line(done(TWO), 1, "other")]
    assert len(invokes.add([*with_id, *without])) == 2
    assert invokes.add([*with_id, *without]) == []
    # Equal lines with different ids are different lines.
    assert len(invokes.add([line("x", 0, event_id="3")])) == 1


def test_only_the_newest_invocations_lines_and_streams_are_kept() -> None:
    invokes = Invokes(limit=10)
    for number in range(200):
        request = f"{number:08x}-0000-4000-8000-000000000000"
        changed = invokes.add(
            [line(done(request), number, f"s{number}")]
            + [line(f"{request}{n}", number, f"s{number}") for n in range(100)]
            + [line("nameless", number, f"n{number}"), line("x" * 9000, number, f"s{number}")]
        )
        assert len(changed) == 1
    known = invokes.newest()
    assert [invoke.at - AT for invoke in known] == list(range(190, 200))
    assert all(len(invoke.lines) == 60 for invoke in known)
    assert len(known[-1].lines[-1][2]) == 4000
    kept = vars(invokes)
    assert all(len(kept[name]) <= 10 for name in ("_running", "_waiting"))
    assert len(kept["_seen"]) <= 40 * 10


WRONG = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
FIELDS = [
    *("timestamp", "level", "log_level", "message", "type", "record", "requestId", "objectIds"),
    *("received", "stored", "failed", "milliseconds", "coldStart"),
    *("bucket", "key", "objectId", "reason"),
]
LINE = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(FIELDS, WRONG)
    | {
        "message": st.sampled_from(["Invoke done", "Record not stored"]) | WRONG,
        "type": st.sampled_from(["platform.report", "platform.start"]) | WRONG,
        "record": st.fixed_dictionaries(
            {}, optional={"requestId": st.just(ONE) | WRONG, "status": WRONG, "metrics": WRONG}
        )
        | WRONG,
        "requestId": st.sampled_from([ONE, TWO]) | WRONG,
    },
)


@given(st.lists(LINE.map(json.dumps) | st.text() | WRONG.map(json.dumps), max_size=6))
@example([json.dumps(done(ONE, milliseconds=float("nan"), received=float("inf")))])
@example([json.dumps(done(ONE, objectIds=5, received=10**400, milliseconds=10**400))])
@example([f'{{"requestId":"{ONE}","message":"Invoke done","milliseconds":1e999}}'])
@example([f"REPORT RequestId: {ONE}\tDuration: 1.2.3 ms", "[" * 100_000, '{"a":' * 100_000])
@example([json.dumps({"type": "platform.report", "record": ONE, "requestId": ONE})])
@example([json.dumps(platform("report", ONE, metrics=[1]))])
@example([json.dumps(done(ONE, timestamp="0001-01-01T00:00:00+14:00", level=["x"]))])
def test_every_log_line_becomes_json_that_a_page_can_read(
    messages: list[str],
) -> None:
    invokes = Invokes()
    changed = invokes.add([line(text, number) for number, text in enumerate(messages)])
    for invoke in changed:
        json.dumps(asdict(invoke), allow_nan=False)
        assert invoke.failing in (True, False)


def test_an_invalid_request_id_is_ignored() -> None:
    invokes = Invokes()
    invokes.add([line({"requestId": "x" * 5000}), line({"requestId": 5}), line({"requestId": ""})])
    assert invokes.newest() == []


TRACEBACK = [
    f"START RequestId: {ONE} Version: $LATEST",
    "Traceback (most recent call last):",
    '  File "lambda_function.py", line 45, in lambda_handler',
    "    raise ValueError('no')",
    "ValueError: no",
    f"REPORT RequestId: {ONE}\tDuration: 300 ms\tBilled Duration: 300 ms",
]
UNHANDLED = {
    "timestamp": "2026-11-25T10:00:00Z",
    "log_level": "ERROR",
    "errorMessage": "no",
    "errorType": "ValueError",
    "requestId": ONE,
    "stackTrace": [],
}
TIMED_OUT = f"2026-11-25T10:00:00.000Z {ONE} Task timed out after 30.00 seconds"


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (TRACEBACK, "ValueError: no"),
        ([UNHANDLED], "ValueError: no"),
        (
            [TRACEBACK[0], "[ERROR] ValueError: no\nTraceback (most recent call last):"],
            "ValueError: no",
        ),
        ([TIMED_OUT], "Task timed out after 30.00 seconds"),
        ([done(ONE) | {"level": "ERROR", "message": "gone"}], "gone"),
        ([done(ONE)], ""),
    ],
    ids=["emulator", "lambda", "text", "timeout", "own", "none"],
)
def test_an_invoke_that_raised_is_an_error_and_says_why(lines: list[Any], reason: str) -> None:
    (invoke,) = Invokes().add(line(each, number) for number, each in enumerate(lines))
    assert invoke.reason == reason
    assert invoke.failing is bool(reason)


def test_each_attempt_of_lambdas_is_counted() -> None:
    attempt = (f"START RequestId: {ONE} Version: $LATEST", TRACEBACK[-1])
    (invoke,) = Invokes().add(line(text, number) for number, text in enumerate(attempt * 3))
    assert (invoke.attempts, invoke.ended, invoke.reported) == (3, True, 300)


def test_the_traceback_of_the_last_exception_is_known_in_both_formats() -> None:
    text = Invoke(ONE)
    for line in (
        "START RequestId: x",
        "Traceback (most recent call last):",
        '  File "app.py", line 2, in handler',
        "    f()",
        "    ~^^",
        "ValueError: boom",
        "END RequestId: x",
    ):
        text.add(1, line, None)
    assert text.traceback == ('  File "app.py", line 2, in handler', "    f()", "ValueError: boom")
    document = {
        "level": "ERROR",
        "errorType": "ValueError",
        "errorMessage": "boom",
        "stackTrace": ['  File "app.py", line 2, in handler\n    f()\n'],
    }
    in_json = Invoke(ONE)
    in_json.add(1, json.dumps(document), document)
    assert in_json.traceback == text.traceback
    assert Invoke(ONE).traceback == ()


def test_what_the_function_printed_is_told_from_lambdas_own_lines() -> None:
    invoke = Invoke(ONE)
    report = {"type": "platform.report", "record": {}}
    for line, document in (
        ("START RequestId: x Version: $LATEST", None),
        ("understood\nall of it\n", None),
        ("REPORT RequestId: x\tDuration: 1 ms", None),
        (json.dumps(report), report),
    ):
        invoke.add(1, line, document)
    assert invoke.printed == ("understood", "all of it")
