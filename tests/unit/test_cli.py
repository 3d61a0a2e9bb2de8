"""How `python -m pipeline` presents itself and how it ends."""

import os
import signal
import subprocess
import sys
import tomllib
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


@pytest.mark.parametrize("width", [20, 40, 80])
def test_help_keeps_to_the_terminals_width_and_shows_no_types_of_flags(width: int) -> None:
    shown = run("replay", "--help", COLUMNS=str(width))
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "<bool>" not in shown.stdout
    _, _, rest = shown.stdout.partition("\n\n")
    # An option's name and value stay in one piece.
    assert width < 40 or max(map(len, rest.splitlines())) <= width
    assert "…" not in rest
    assert "..." not in rest


def test_the_version_is_the_projects() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert run("--version").stdout == f"python -m pipeline {project['version']}\n"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A program named `pipeline`, as `pip install` makes one."""
    program = tmp_path / "bin/pipeline"
    program.parent.mkdir()
    path = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})"
    program.write_text(f"#!{sys.executable}\n{path}\nfrom pipeline.cli import main; main()\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ({"_PIPELINE_COMPLETE": "complete_zsh"}, '"replay":"Show the messages'),
        (
            {"_PIPELINE_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
            "replay\tShow the messages",
        ),
    ],
    ids=["zsh", "fish"],
)
def test_other_shells_get_commands_and_what_each_does(
    installed: Path, asked: dict[str, str], answer: str
) -> None:
    environment = {**os.environ, **asked, "_TYPER_COMPLETE_ARGS": "pipeline repl"}
    printed = subprocess.check_output([installed], env=environment, text=True)
    assert answer in printed
    assert "verify" not in printed


def test_bash_completes_commands_and_options_with_the_script_that_is_shown(installed: Path) -> None:
    script = (
        'eval "$(pipeline --show-completion bash)"\n'
        "COMP_WORDS=(pipeline lab up --wo) COMP_CWORD=3; _pipeline_completion pipeline\n"
        'echo "${COMPREPLY[@]}"\n'
    )
    environment = {"PATH": f"{installed.parent}:{os.environ['PATH']}", "SHELL": "/bin/bash"}
    printed = subprocess.check_output(["bash", "-c", script], env=environment, text=True)
    assert printed == "--work-dir\n"


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


def test_help_loads_nothing_that_takes_long() -> None:
    script = (
        "import sys, pipeline.cli\n"
        "slow = {'boto3', 'botocore', 'tftest', 'ministack', 'hcl2', 'psutil', 'rich'}\n"
        "heavy = slow & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("fails", "sentence"),
    [
        (
            "raise pipeline.errors.PipelineError('Nothing here: put something.')",
            "Nothing here: put something.",
        ),
        (
            "open('/dev/full', 'wb', 0).write(b'x')",
            "A file can't be used (No space left on device): make room on that disk, or take a "
            "folder that you may write to.",
        ),
        (
            "raise PermissionError(13, 'Permission denied', '/theirs')",
            "/theirs can't be used (Permission denied): make room on that disk, or take a folder "
            "that you may write to.",
        ),
    ],
    ids=["an error", "a full disk", "a closed folder"],
)
def test_an_error_is_one_sentence_and_status_2(fails: str, sentence: str) -> None:
    script = (
        "import pipeline.cli, pipeline.errors\n"
        "@pipeline.cli.app.command()\n"
        "def fails() -> None:\n"
        f"    {fails}\n"
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
    assert done.stderr.strip() == sentence
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
