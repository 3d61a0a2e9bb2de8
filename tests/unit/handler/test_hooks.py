"""What a team's hook adds to the records, and what it can't do to them."""

import json
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import answer
import events
import hooks
import lambda_function
from tests.support.aws import faulty_dynamodb as faults
from tests.support.aws import s3_events as s3
from tests.support.aws.faulty_dynamodb import FaultyDynamoDB
from tests.unit.handler.conftest import ENVIRONMENT, Context, Handle

SUCCESS = {"statusCode": 200, "body": '"Item stored"'}

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Make the body of `on_event(event, record)` the hook."""
    folder = tmp_path / "python"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("RECORD_HOOK", "enrich.on_event")

    def module(body: str) -> Path:
        head = "from hooks import SkipRecord\n\ndef on_event(event, record):\n"
        (folder / "enrich.py").write_text(head + textwrap.indent(textwrap.dedent(body), "    "))
        return folder

    def forget() -> None:
        hooks.load.cache_clear()
        hooks._stuck.clear()
        sys.modules.pop("enrich", None)
        sys.path_importer_cache.pop(str(folder), None)

    forget()
    yield module
    forget()


@pytest.fixture
def released(write: Write, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """What a hook that does not return waits for: `hooks.released`."""
    released = threading.Event()
    monkeypatch.setattr(hooks, "released", released, raising=False)
    yield released
    released.set()


def test_what_the_hook_returns_is_in_the_record(
    write: Write, handle: Handle, dynamodb: FaultyDynamoDB
) -> None:
    write("return {'pages': 3, 'of': record['objectKey'], 'kind': event.name}")
    assert handle(s3.notification(s3.record("a b.txt"))) == SUCCESS
    (item,) = dynamodb.items.values()
    assert item["pages"] == {"N": "3"}
    assert item["of"] == item["objectKey"] == {"S": "a b.txt"}
    assert item["kind"] == {"S": "ObjectCreated:Put"}
    assert item["size"] == {"N": "3"}


def test_a_hook_that_returns_none_adds_nothing(
    write: Write, handle: Handle, dynamodb: FaultyDynamoDB
) -> None:
    write("return None")
    handle(s3.notification(s3.record("a")))
    assert not {*next(iter(dynamodb.items.values()))} - hooks.RESERVED


def test_each_kind_of_value_is_stored_as_dynamodb_has_it(
    write: Write, handle: Handle, dynamodb: FaultyDynamoDB
) -> None:
    write("""
        from decimal import Decimal
        return {
            "text": "é", "whole": 2**63, "float": 0.1, "decimal": Decimal("1.50"), "yes": True,
            "bytes": b"\\x00\\xff", "list": [1, "a", (None,)], "dict": {"a": {"b": False}},
            "nothing": None, "empty": "",
        }
    """)
    handle(s3.notification(s3.record("a")))
    (item,) = dynamodb.items.values()
    assert {name: value for name, value in item.items() if name not in hooks.RESERVED} == {
        "text": {"S": "é"},
        "whole": {"N": "9223372036854775808"},
        "float": {"N": "0.1"},
        "decimal": {"N": "1.50"},
        "yes": {"BOOL": True},
        "bytes": {"B": "AP8="},
        "list": {"L": [{"N": "1"}, {"S": "a"}, {"L": [{"NULL": True}]}]},
        "dict": {"M": {"a": {"M": {"b": {"BOOL": False}}}}},
        "nothing": {"NULL": True},
        "empty": {"S": ""},
    }


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("return ['a']", "it returned list, not a mapping or None"),
        ("return {'a': {1}}", "attribute a holds a set: return str, int, float, Decimal, bool"),
        ("return {'a': [float('nan')]}", "attribute a holds NaN: DynamoDB takes 38 digits"),
        ("return {'a': 10.0**126}", "attribute a holds 1E+126: DynamoDB takes"),
        ("return {'a': 10**5000}", "attribute a holds 1"),
        ("return {'a': 3**99}", "attribute a holds 1717"),
        ("return {'a': '\\ud800'}", "attribute a holds a lone surrogate"),
        ("return {'\\ud800': 1}", "holds a lone surrogate"),
        ("return {'': 1}", "has a name that is '':"),
        ("return {1: 1}", "has a name that is 1:"),
        ("return {'a': {2: 1}}", "attribute a has a name that is 2:"),
        ("a = []; a.append(a); return {'a': a}", "attribute a is nested deeper than 32 levels"),
        ("return {'a': 'x' * 500_000}", "the record would have 500,"),
        ("return {'a': {'b': ['é' * 250_000]}}", "and DynamoDB takes 409,600"),
        ("return {'objectId': 'x', 'ttl': 1}", "it returned objectId, ttl, which the record has"),
        ("record['size'] = 4", "TypeError: 'mappingproxy' object does not support"),
        ("raise SystemExit(3)", "SystemExit: 3 (enrich.py:5)"),
        ("raise KeyError('page')", "KeyError: 'page' (enrich.py:5)"),
        (
            "class Bad(Exception):\n    def __str__(self): raise SystemExit\nraise Bad",
            "Bad (enrich.py:7)",
        ),
    ],
)
def test_one_bad_record_fails_alone_with_a_reason_that_names_the_hook(
    body: str, reason: str, write: Write, handle: Handle, dynamodb: FaultyDynamoDB, lines: Any
) -> None:
    write(f"if event.key != 'bad': return None\n{body}")
    messages = [s3.notification(s3.record(key)) for key in ("good", "bad")]
    answered = handle(s3.sqs(*messages))
    (failure,) = lines("ERROR")
    assert failure["reason"].startswith("hook enrich.on_event: ")
    assert reason in failure["reason"]
    assert failure["key"] == "bad"
    assert answered == {"batchItemFailures": [{"itemIdentifier": failure["messageId"]}]}
    assert [item["objectKey"]["S"] for item in dynamodb.items.values()] == ["good"]


def test_the_reserved_names_are_all_that_a_record_may_have(
    handle: Handle, dynamodb: FaultyDynamoDB
) -> None:
    replication = dict.fromkeys(events.Replication._fields, "x")
    handle(
        s3.notification(
            s3.record("a", versionId="v"),
            s3.record("b", name="ObjectTagging:Put"),
            s3.record("c", name="Replication:OperationNotTracked", replication=replication),
        )
    )
    assert set().union(*dynamodb.items.values()) == hooks.RESERVED


def test_a_direct_answer_names_what_was_skipped(
    write: Write, handle: Handle, dynamodb: FaultyDynamoDB, lines: Any
) -> None:
    write("raise SkipRecord")
    answered = handle(s3.notification(s3.record("a"), s3.record("a")))
    assert not dynamodb.requests
    (line,) = lines("INFO")
    assert (line["skipped"], line["duplicatesFolded"]) == (1, 1)
    assert (line["stored"], line["failed"]) == (0, 0)
    (object_id,) = answered.pop("skipped")
    assert answered == SUCCESS
    assert len(object_id) == 36


def test_skipped_messages_of_a_batch_do_not_come_again(
    write: Write, handle: Handle, dynamodb: FaultyDynamoDB
) -> None:
    write("if event.key == 'a': raise SkipRecord")
    batch = s3.sqs(*(s3.notification(s3.record(key)) for key in ("a", "b")))
    assert handle(batch) == {"batchItemFailures": []}
    assert [item["objectKey"]["S"] for item in dynamodb.items.values()] == ["b"]


def test_the_hook_is_called_once_for_duplicates_and_sees_the_one_that_says_most(
    write: Write, handle: Handle, dynamodb: FaultyDynamoDB, lines: Any
) -> None:
    write("return {'seen': event.etag}")
    for order in (1, -1):
        twins = [s3.record("a", eTag=None), s3.record("a", eTag="most")][::order]
        handle(s3.notification(*twins))
        (item,) = dynamodb.items.values()
        assert item["seen"] == {"S": "most"}
        assert lines("INFO")[0]["received"] == 2


def test_a_thousand_messages_are_hooked_so_many_at_a_time(
    write: Write, handle: Handle, dynamodb: FaultyDynamoDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECORD_HOOK_CONCURRENCY", "3")
    # Three wait for each other, and a fourth would find no slot.
    write("""
        from hooks import released
        assert released.slots.acquire(blocking=False)
        released.barrier.wait()
        released.slots.release()
        return {"n": 1}
    """)
    gate = SimpleNamespace(barrier=threading.Barrier(3), slots=threading.BoundedSemaphore(3))
    monkeypatch.setattr(hooks, "released", gate, raising=False)
    batch = s3.sqs(*(s3.notification(s3.record(f"{number}")) for number in range(999)))
    assert handle(batch) == {"batchItemFailures": []}
    assert len(dynamodb.items) == 999


def test_a_hook_that_never_returns_fails_its_own_record_and_later_ones_go_on(
    write: Write,
    released: threading.Event,
    handle: Handle,
    dynamodb: FaultyDynamoDB,
    lines: Any,
) -> None:
    write("import hooks\nif event.key == 'slow': hooks.released.wait()\nreturn {'n': 1}")
    batch = s3.sqs(*(s3.notification(s3.record(key)) for key in ("slow", "a", "b")))
    assert len(handle(batch, 1500)["batchItemFailures"]) == 1
    (failure,) = lines("ERROR")
    assert failure["reason"].startswith("hook enrich.on_event: did not return within 0.")
    assert {item["objectKey"]["S"] for item in dynamodb.items.values()} == {"a", "b"}
    assert handle(s3.notification(s3.record("c"))) == SUCCESS
    # What it returns late is stored nowhere.
    released.set()
    for thread in hooks._stuck:
        thread.join()
    assert handle(s3.notification(s3.record("d"))) == SUCCESS
    assert {item["objectKey"]["S"] for item in dynamodb.items.values()} == {"a", "b", "c", "d"}
    assert not hooks._stuck


def test_what_there_was_no_time_for_says_what_to_change(
    write: Write,
    released: threading.Event,
    handle: Handle,
    lines: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RECORD_HOOK_CONCURRENCY", "1")
    write("import hooks; hooks.released.wait()")
    batch = s3.sqs(*(s3.notification(s3.record(key)) for key in ("a", "b")))
    assert len(handle(batch, 1000)["batchItemFailures"]) == 2
    late, untried = (line["reason"] for line in lines("ERROR"))
    assert "did not return within" in late
    assert "was not called within" in untried
    assert untried.endswith("raise timeout_seconds or take smaller batches")


def test_a_process_whose_threads_never_return_ends_and_says_why(write: Write) -> None:
    folder = write("import threading; threading.Event().wait()")
    code = """
import lambda_function
from tests.support.aws import s3_events as s3
from tests.unit.handler.conftest import Context
for key in "abc":
    try:
        lambda_function.lambda_handler(s3.notification(s3.record(key)), Context(700))
    except Exception as error:
        print(error)
"""
    path = os.pathsep.join((str(folder), "lambda_src", "."))
    environment = ENVIRONMENT | {"RECORD_HOOK": "enrich.on_event", "PYTHONPATH": path}
    environment |= {"RECORD_HOOK_CONCURRENCY": "2"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    *_, last = done.stdout.splitlines()
    line = json.loads(last)
    assert line["level"] == "FATAL"
    assert line["reason"] == "2 calls of hook enrich.on_event did not return: the process ends"
    assert done.stdout.count("1 of the records not stored") == 2


def test_threads_that_a_hook_leaves_behind_do_not_keep_the_answer(
    write: Write, released: threading.Event, handle: Handle, dynamodb: FaultyDynamoDB
) -> None:
    write("""
        import hooks, threading
        for _ in range(5):
            threading.Thread(target=hooks.released.wait).start()
        return {"n": 1}
    """)
    assert handle(s3.notification(s3.record("a"), s3.record("b"))) == SUCCESS
    assert len(dynamodb.items) == 2


@pytest.mark.parametrize(
    ("hook", "source", "reason"),
    [
        ("enrich.on_event", "import nothing_of_that_name", "ModuleNotFoundError: No module named"),
        ("enrich.on_event", "raise SystemExit(1)", "SystemExit: 1 (enrich.py:1)"),
        ("enrich.on_event", "def on_event(:", "SyntaxError: "),
        ("enrich.other", "def on_event(event, record): ...", "AttributeError: module 'enrich' has"),
        ("enrich.value", "value = 3", "TypeError: value is int, not a function"),
        ("elsewhere.on_event", "", "ModuleNotFoundError: No module named 'elsewhere'"),
    ],
)
def test_a_hook_that_does_not_load_is_seen_at_init_and_fails_each_event_until_it_does(
    hook: str,
    source: str,
    reason: str,
    write: Write,
    handle: Handle,
    dynamodb: FaultyDynamoDB,
    lines: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = write("") / "enrich.py"
    module.write_text(source)
    monkeypatch.setenv("RECORD_HOOK", hook)
    hooks.prepare()
    (line,) = lines("ERROR")
    assert line["message"] == "Hook not loaded"
    assert line["reason"].startswith(f"hook {hook} can't be loaded: {reason}")
    with pytest.raises(answer.NotStoredError, match=f"hook {hook} can't be loaded"):
        handle(s3.notification(s3.record("a"), s3.record("b")))
    assert not dynamodb.requests


def test_a_hook_that_loads_at_last_is_used(
    write: Write, handle: Handle, dynamodb: FaultyDynamoDB
) -> None:
    module = write("") / "enrich.py"
    module.write_text("import hooks\nhooks.no_such_thing")
    with pytest.raises(answer.NotStoredError, match=r"enrich\.py:2"):
        handle(s3.notification(s3.record("a")))
    write("return {'number': 11}")
    assert handle(s3.notification(s3.record("a"))) == SUCCESS
    assert next(iter(dynamodb.items.values()))["number"] == {"N": "11"}


def test_a_direct_invoke_has_its_patience_with_dynamodb_after_the_hook(
    write: Write, handle: Handle, dynamodb: FaultyDynamoDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lambda_function, "DIRECT_PATIENCE_SECONDS", 0.3)
    write("import threading; threading.Event().wait(0.35)")
    dynamodb.script.append(faults.error(400, "ThrottlingException"))
    assert handle(s3.notification(s3.record("a"))) == SUCCESS


def test_time_in_the_hook_is_in_the_log(write: Write, lines: Any, handle: Handle) -> None:
    write("import threading; threading.Event().wait(0.05)")
    handle(s3.notification(s3.record("a")), context=Context())
    (line,) = lines("INFO")
    assert 50 <= line["hookMilliseconds"] <= line["milliseconds"]


def test_a_number_reads_back_as_it_was() -> None:
    for value in (0, -5, 10**125, 1e-130, 0.1, Decimal("1e-5"), Decimal(10) ** 38 - 1):
        assert Decimal(hooks._wire(value, 0)["N"]) == Decimal(str(value))
