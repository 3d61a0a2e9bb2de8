"""`pipeline replay` as an operator runs it: a Terraform root, a terminal or none, Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.text import Text

from pipeline.emulator.process import ACCOUNT_ID, REGION
from pipeline.terraform import run as terraform
from tests.support.aws import s3_events
from tests.support.aws.failing import FUNCTION, TABLE, Site, events, failed, keys
from tests.support.poll import until

REPOSITORY = Path(__file__).parents[2]
ODD = "odd/[red]x[/red] \x1b[31m:smile:\n\x9b.txt"


def start(site: Site, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", "replay", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **site.running.environment, "PYTHONUTF8": "1", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def replay(site: Site, *arguments: str, **variables: str) -> tuple[int, str, str]:
    process = start(site, *arguments, **variables)
    out, err = process.communicate(timeout=900)
    return process.returncode, out, err


def by_hand(site: Site) -> list[str]:
    names = {"failure_queue_url": site.queue_url, "function_name": FUNCTION, "table_name": TABLE}
    return [word for name, value in names.items() for word in ("--set", f"{name}={value}")]


@pytest.fixture
def root(site: Site, tmp_path: Path) -> Path:
    """A Terraform root, applied, with its pipeline's outputs as one object."""
    outputs: dict[str, Any] = {
        "failure_queue_url": site.queue_url,
        "function_name": FUNCTION,
        "function_arn": f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{FUNCTION}",
        "table_name": TABLE,
    }
    root = terraform.write_root(tmp_path / "root", {"output": {"uploads": {"value": outputs}}})
    terraform.apply(root, {**os.environ, "CHECKPOINT_DISABLE": "1"})
    return root


def test_what_failed_in_a_root_is_shown_and_replayed_as_the_output_says(
    site: Site, root: Path
) -> None:
    site.send(*(failed(record) for record in events("root/", 3)))
    site.send(
        s3_events.eventbridge("root-rule/ü +%"),
        attributes={"RULE_ARN": "arn:…", "ERROR_CODE": "NO_PERMISSIONS", "RETRY_ATTEMPTS": "0"},
    )

    status, out, err = replay(site, "--stack", str(root))

    assert (status, err) == (0, "")
    (row,) = [line.split("  ") for line in out.splitlines() if "root-rule/ü +%" in line]
    assert row[2].strip() == "rule"
    assert row[-1].strip() == "NO_PERMISSIONS"
    assert f"--stack {root} --message " in out
    assert f"--stack {root} --all" in out
    assert site.queued() == (4, 0)
    assert site.stored("root") == []

    status, out, err = replay(
        site, "--stack", str(root), "--message", row[0], "--key", "root/*1", "--key", "none/*"
    )

    assert (status, err) == (1, "")
    assert "2 messages replayed: the records are in the table S3ObjectEvents" in out
    assert "No message matches none/*" in out
    assert site.stored("root") == ["root-rule/ü +%", "root/001"]
    assert site.queued() == (2, 0)

    assert replay(site, "--stack", str(root), "--all")[0] == 0
    assert site.stored("root/") == keys("root/", 3)
    assert site.queued() == (0, 0)


def test_what_stays_has_a_line_with_its_reason_and_json_is_one_document(site: Site) -> None:
    site.send(failed(s3_events.record("x", key="bad/%zz")), "{", failed(s3_events.record(ODD)))
    status, out, err = replay(site, *by_hand(site), "--all", "--json")
    assert status == 1
    document = json.loads(out)
    assert (document["done"], document["stayed"]) == (1, 2)
    assert {each["objects"][0]["key"] for each in document["messages"] if each["done"]} == {ODD}
    stayed = [line for line in err.splitlines() if line.startswith("  stayed  ")]
    assert len(stayed) == 2
    assert sum("not URL-encoded" in line for line in stayed) == 1
    assert sum("holds no JSON document" in line for line in stayed) == 1
    assert site.queued() == (2, 0)


def test_keys_cannot_break_a_narrow_terminal(site: Site) -> None:
    site.send(failed(s3_events.record(ODD)))
    # As much of a terminal as rich asks for.
    status, out, err = replay(site, *by_hand(site), FORCE_COLOR="1", COLUMNS="30", TERM="xterm")
    assert (status, err) == (0, "")
    assert "\x1b[31m" not in out
    assert "\x9b" not in out
    # Folded, but whole.
    shown = "".join(Text.from_ansi(out).plain.split())
    assert "odd/[red]x[/red]\\x1b[31m:smile:\\n\\x9b.txt" in shown


def test_ctrl_c_says_what_is_in_and_running_again_brings_the_rest(site: Site) -> None:
    site.send(*(failed(record) for record in events("ctrl-c/", 60)))
    process = start(site, *by_hand(site), "--all", "--parallel", "1")
    until(lambda: site.stored("ctrl-c/"))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=900)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "Ending, once the running invokes have finished" in err
    assert " replayed: the records are in the table" in out or "Nothing was replayed." in out
    assert "running this again is safe" in out
    # What a request had received that Ctrl-C cut short comes back by itself, within half a minute.
    until(lambda: site.queued()[1] == 0)
    assert 0 < site.queued()[0] < 60
    assert replay(site, *by_hand(site), "--all")[0] == 0
    assert site.stored("ctrl-c/") == keys("ctrl-c/", 60)


def test_an_empty_queue_is_no_failure_and_a_queue_that_is_gone_is_told(site: Site) -> None:
    status, out, _ = replay(site, *by_hand(site), "--all")
    assert status == 0
    assert "The failure queue is empty." in out
    gone = ["--set", f"failure_queue_url={site.queue_url}-gone"]
    status, out, err = replay(site, *by_hand(site), *gone)
    assert (status, out) == (2, "")
    assert "does not exist: take failure_queue_url" in err
    assert "Traceback" not in err
