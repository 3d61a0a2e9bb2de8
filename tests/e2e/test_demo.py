"""The demo shows every step, and leaves nothing behind, however it ends."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import processes, read_until, wait_until_gone

REPOSITORY = Path(__file__).parents[2]
LOGS = {".lab", "apply.log", "destroy.log", "emulator.log"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a space in its name for everything that a demo may touch."""
    folder = tmp_path / "a place"
    (folder / "tmp").mkdir(parents=True)
    (folder / "home").mkdir()
    return folder


@pytest.fixture
def work_dir(place: Path) -> Iterator[Path]:
    """The demo's work folder; when the test is over, no process of it may be left."""
    folder = place / "work"
    yield folder
    left = wait_until_gone(folder)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left


def start(
    work_dir: Path, *arguments: str, command: str = "lab demo", **variables: str
) -> "subprocess.Popen[str]":
    place = work_dir.parent
    own = {
        "TMPDIR": str(place / "tmp"),
        "HOME": str(place / "home"),
        "XDG_CACHE_HOME": str(place / "home/.cache"),
        "COLUMNS": "60",
    }
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "pipeline",
            *command.split(),
            "--work-dir",
            str(work_dir),
            *arguments,
        ],
        cwd=REPOSITORY,
        env={**os.environ, **own, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = process.communicate(timeout=900)
    return process.returncode, out, err


def files(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*")}


def nothing_left(work_dir: Path) -> None:
    """Logs may stay in the work folder, its lock beside it, and nothing anywhere else."""
    assert processes(work_dir) == {}
    assert files(work_dir) <= LOGS
    outside = {name for name in files(work_dir.parent) if not name.startswith("work/")}
    # Terraform itself makes a folder for its own housekeeping in a fresh home, and leaves that of a
    # provider's socket if it has to be killed.
    own = {name for name in outside if name.startswith(("home/.terraform.d", "tmp/plugin"))}
    assert outside - own <= {"home", "tmp", "work", "work.lock"}


def test_the_demo_shows_every_step_keeps_the_lab_and_down_ends_it(work_dir: Path) -> None:
    hostile = {
        "AWS_PROFILE": "production",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "HTTP_PROXY": "http://127.0.0.1:1",
        "TF_WORKSPACE": "production",
        "TF_VAR_name_prefix": "not-this",
        "TF_CLI_ARGS": "-no-such-option",
        "LC_ALL": "POSIX",
    }
    status, out, err = finish(start(work_dir, "--keep", "--json", **hostile))
    assert status == 0, err
    shown = json.loads(out)

    assert shown["first_record_seconds"] < 90
    assert len(shown["objects"]) == shown["write_units"]["writes"] == 36
    newest = next(item for item in shown["objects"] if item["key"].startswith("invoices/"))
    record = {name: next(iter(value.values())) for name, value in shown["record"].items()}
    assert record["objectKey"] == newest["key"] == "invoices/2026-11 müller+söhne.pdf"
    assert record["versionId"] == newest["versionId"]
    assert int(record["ttl"]) - int(record["timestamp"]) == 24 * 3600
    assert any(record["objectId"] in line for line in shown["log_lines"])
    states = {alarm["name"]: alarm["state"] for alarm in shown["alarms"]}
    assert states == {"DynamoDBWriteActivityAlert": "ALARM", "DynamoDBWriteThrottleAlert": "OK"}
    assert shown["message"]["TopicArn"] == shown["outputs"]["topic_arn"]
    assert shown["message"]["Message"]["AlarmName"] == "DynamoDBWriteActivityAlert"
    assert shown["message"]["Message"]["NewStateValue"] == "ALARM"

    script = '. "$0/env" && terraform -chdir="$0/root" plan -detailed-exitcode -no-color'
    planned = subprocess.run(
        ["sh", "-c", script, str(work_dir)], capture_output=True, text=True, check=False
    )
    assert planned.returncode == 0, planned.stdout + planned.stderr
    # The demo's threshold went with the demo.
    assert "threshold" not in (work_dir / "root" / "main.tf").read_text()
    assert not list((work_dir / "root").glob("demo*"))

    status, out, err = finish(start(work_dir, "--all", command="replay", **hostile))
    assert status == 0, err
    assert "The failure queue is empty." in out

    status, out, err = finish(start(work_dir, "--json", command="lab status", **hostile))
    assert status == 0, err
    found = json.loads(out)
    assert (found["endpoint"], found["module"]) == (shown["kept"]["endpoint"], "same")
    assert found["contents"]["objects"] == found["contents"]["records"] == 36

    status, _, err = finish(start(work_dir))
    assert status == 2
    assert f"A lab is kept in {work_dir} at {shown['kept']['endpoint']}" in err

    status, _, err = finish(start(work_dir, command="lab down"))
    assert status == 0, err
    nothing_left(work_dir)


def test_down_without_a_lab_says_how_to_start_one(work_dir: Path) -> None:
    status, _, err = finish(start(work_dir, command="lab down"))
    assert status == 2
    assert "No lab runs in" in err
    assert "python -m pipeline lab up" in err


def test_without_terraform_it_says_what_to_install(work_dir: Path) -> None:
    status, _, err = finish(start(work_dir, PATH="/usr/bin:/bin"))
    if shutil.which("terraform", path="/usr/bin:/bin"):
        pytest.skip("Terraform lies in /usr/bin")
    assert status == 2
    assert err.startswith("Terraform was not found on PATH")
    assert len(err.strip().splitlines()) == 1
    nothing_left(work_dir)


def test_a_taken_port_is_named(work_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        status, _, err = finish(start(work_dir, "--port", port))
    assert status == 2
    assert f"Port {port} on 127.0.0.1 is taken by process {os.getpid()}" in err
    nothing_left(work_dir)


@pytest.mark.parametrize(
    ("signum", "status"),
    [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.soak)],
)
def test_interrupted_while_it_applies_nothing_stays(
    work_dir: Path, signum: signal.Signals, status: int
) -> None:
    with start(work_dir) as process:
        read_until(process.stdout, "aws_iam_role.this")
        assert len(processes(work_dir)) >= 3
        process.send_signal(signum)
        assert finish(process)[0] == status
    nothing_left(work_dir)


def test_interrupted_a_lab_to_keep_is_not_kept(work_dir: Path) -> None:
    with start(work_dir, command="lab up") as process:
        read_until(process.stdout, "aws_iam_role.this")
        status, out, _ = finish(start(work_dir, command="lab status"))
        assert (status, "is being made in" in out) == (1, True)
        process.send_signal(signal.SIGTERM)
        assert finish(process)[0] == 143
    nothing_left(work_dir)


def test_killed_while_it_applies_its_processes_end_and_the_next_one_clears_up(
    work_dir: Path,
) -> None:
    with start(work_dir) as process:
        read_until(process.stdout, "aws_iam_role.this")
        process.kill()
        process.wait()
    assert wait_until_gone(work_dir) == {}
    outside = {name for name in files(work_dir.parent) if "tfstate" in name}
    assert all(name.startswith("work/") for name in outside)
    with start(work_dir) as process:
        read_until(process.stdout, "aws_iam_role.this")
        process.send_signal(signal.SIGTERM)
        assert finish(process)[0] == 143
    nothing_left(work_dir)


def test_killed_while_it_makes_a_lab_to_keep_the_next_one_clears_up(work_dir: Path) -> None:
    with start(work_dir, command="lab up") as process:
        read_until(process.stdout, "aws_iam_role.this")
        process.kill()
        process.wait()
    with start(work_dir) as process:
        read_until(process.stdout, "aws_iam_role.this")
        process.send_signal(signal.SIGTERM)
        assert finish(process)[0] == 143
    nothing_left(work_dir)


def test_a_second_one_at_the_same_time_is_refused(work_dir: Path) -> None:
    with start(work_dir) as process:
        read_until(process.stdout, "emulator listens")
        status, _, err = finish(start(work_dir, command="lab up"))
        assert status == 2
        assert f"Another lab command (process {process.pid}) works in {work_dir}" in err
        process.send_signal(signal.SIGTERM)
        finish(process)
    nothing_left(work_dir)


def test_a_failed_apply_ends_everything_and_shows_terraforms_reason(
    work_dir: Path, tmp_path: Path
) -> None:
    real = shutil.which("terraform")
    refusing = tmp_path / "bin/terraform"
    refusing.parent.mkdir()
    refusing.write_text(
        f'#!/bin/sh\n[ "$1" != apply ] || set -- "$@" -var=no_such_variable=1\nexec "{real}" "$@"\n'
    )
    refusing.chmod(0o755)
    path = f"{refusing.parent}:{os.environ['PATH']}"
    status, _, err = finish(start(work_dir, PATH=path))
    assert status == 2
    assert "no_such_variable" in err
    nothing_left(work_dir)
