"""How `python -m pipeline` presents itself and how it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli import app
from pipeline.lab import command as lab

REPOSITORY = Path(__file__).parents[2]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


COMMANDS = [
    f"{before}{command.callback.__name__}"
    for before, commands in (("", app), ("lab ", lab.app))
    for command in commands.registered_commands
    if command.callback
]


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_explains_itself(command: str) -> None:
    shown = run(*command.split(), "--help")
    assert shown.returncode == 0
    assert "Usage: python -m pipeline" in shown.stdout


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("pipeline", "up --port 4566", "`up` is now `python -m pipeline lab up`."),
        ("pipeline", "scan", "`scan` is now `python -m tools scan`."),
        ("pipeline", "load --faults all", "`load --faults` is now `python -m tools faults`."),
        ("lab", "verify --json", "`lab verify` is now `python -m pipeline verify`."),
        ("lab", "down", "`lab down` is now `python -m pipeline lab down`."),
        ("lab", "", "`lab` is now `python -m pipeline`."),
    ],
)
def test_an_old_name_is_answered_with_the_new_one(module: str, old: str, new: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, *old.split()],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"{new}\n")


def test_help_loads_no_aws_library() -> None:
    script = (
        "import sys, pipeline.cli\n"
        "heavy = {'boto3', 'botocore', 'tftest', 'ministack', 'hcl2'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, check=False)
    assert done.returncode == 0


def test_a_lab_error_is_one_sentence_and_status_2() -> None:
    script = (
        "import pipeline.cli, pipeline.errors\n"
        "@pipeline.cli.app.command()\n"
        "def fails() -> None:\n"
        "    raise pipeline.errors.PipelineError('Nothing here: put something.')\n"
        "pipeline.cli.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "fails"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.strip() == "Nothing here: put something."
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--work-dir", "/nonexistent"], "No lab runs in /nonexistent: start one"),
        (["--set", "table_name=t"], "--set gives no failure_queue_url: apply"),
        (["--set", "table_name=t", "--all", "--key", "a"], "--all leaves nothing to choose"),
    ],
    ids=["no-lab", "half", "all-and-one"],
)
def test_replay_says_in_one_sentence_why_it_could_not_be_tried(
    arguments: list[str], sentence: str
) -> None:
    done = run("replay", *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(sentence)
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_passes_the_cleaning_up(signum: int, status: int, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import pathlib, signal\n"
        "import pipeline.cli\n"
        "@pipeline.cli.app.command()\n"
        "def waits() -> None:\n"
        "    try:\n"
        "        print('waiting', flush=True)\n"
        "        signal.pause()\n"
        "    finally:\n"
        "        pathlib.Path(__file__).with_name('cleaned').touch()\n"
        "pipeline.cli.main()\n"
    )
    with subprocess.Popen(
        [sys.executable, str(program), "waits"],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signum)
        assert process.wait(20) == status
    assert (tmp_path / "cleaned").exists()
