"""How `python -m lab` presents itself and how it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]


def lab(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["package"],
        ["docs"],
        ["demo"],
        ["up"],
        ["down"],
        ["replay"],
        ["reconcile"],
        ["backfill"],
    ],
)
def test_every_command_explains_itself(command: list[str]) -> None:
    shown = lab(*command, "--help")
    assert shown.returncode == 0
    assert "Usage: python -m lab" in shown.stdout


def test_help_loads_no_aws_library() -> None:
    script = (
        "import sys, lab.cli\n"
        "heavy = {'boto3', 'botocore', 'tftest', 'ministack', 'hcl2'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, check=False)
    assert done.returncode == 0


def test_a_lab_error_is_one_sentence_and_status_2() -> None:
    script = (
        "import lab.cli, lab.errors\n"
        "@lab.cli.app.command()\n"
        "def broken() -> None:\n"
        "    raise lab.errors.LabError('Nothing here: put something.')\n"
        "lab.cli.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "broken"],
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
    done = lab("replay", *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(sentence)
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_passes_the_cleaning_up(signum: int, status: int, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import pathlib, signal\n"
        "import lab.cli\n"
        "@lab.cli.app.command()\n"
        "def waits() -> None:\n"
        "    try:\n"
        "        print('waiting', flush=True)\n"
        "        signal.pause()\n"
        "    finally:\n"
        "        pathlib.Path(__file__).with_name('cleaned').touch()\n"
        "lab.cli.main()\n"
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
