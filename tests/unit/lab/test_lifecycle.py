"""What a lab that stays is made of: its files, its fingerprint, its queues' addresses."""

import io
import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.errors import PipelineError
from pipeline.lab import folder, lifecycle, root
from pipeline.paths import fingerprint
from pipeline.terraform import progress
from pipeline.terraform.run import Event


def test_any_change_of_what_terraform_reads_changes_the_fingerprint(tmp_path: Path) -> None:
    main = tmp_path / "main.tf"
    main.write_text("a = 1")
    before = fingerprint(tmp_path)
    assert fingerprint(tmp_path) == before
    (tmp_path / "apply.log").write_text("no matter")
    assert fingerprint(tmp_path) == before
    main.write_text("a = 2")
    assert fingerprint(tmp_path) != before
    main.write_text("a = 1")
    (tmp_path / "more.auto.tfvars").write_text("b = 1")
    assert fingerprint(tmp_path) != before


@pytest.mark.parametrize("name", ["state/terraform.json", "root/main.tf", "env", "apply.log"])
def test_a_folder_with_something_of_somebody_elses_is_refused_and_stays(
    tmp_path: Path, name: str
) -> None:
    theirs = tmp_path / "project" / name
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")
    with (
        pytest.raises(PipelineError, match=rf"holds {name.partition('/')[0]}, which no lab made"),
        folder.exclusive(tmp_path / "project"),
    ):
        pass
    assert theirs.read_text() == "theirs"


def test_what_else_lies_in_a_labs_folder_stays(tmp_path: Path) -> None:
    (tmp_path / "notes.log").write_text("theirs")
    for _ in range(2):
        with folder.exclusive(tmp_path):
            folder.make_room(tmp_path)
            (tmp_path / "state").mkdir()
    folder.forget(tmp_path)
    assert (tmp_path / "notes.log").exists()
    assert not (tmp_path / "state").exists()


def test_queues_move_to_another_port_and_nothing_else_does(tmp_path: Path) -> None:
    hook = "http://127.0.0.1:9000/hook"
    queue = "http://127.0.0.1:4000/000000000000/q"
    state = tmp_path / "root" / "terraform.tfstate"
    state.parent.mkdir()
    outputs = {"queue": {"value": queue}, "hook": {"value": hook}}
    state.write_text(json.dumps({"outputs": outputs}))
    root.move(tmp_path, 5000)
    moved = queue.replace("4000", "5000")
    assert root.outputs(tmp_path) == {"queue": moved, "hook": hook}


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (None, "Nothing is applied in .*root: bring it back"),
        ('{"outputs": {}}', "Nothing is applied in .*root: bring it back"),
        ('{"outputs": {"pipeline": {"value": {}}}}', "has no output subscriber_queue_url: put it"),
        ('{"outputs": ', r"state .*terraform\.tfstate can't be read .*: put"),
        ("[]", r"state .*terraform\.tfstate can't be read .*: put"),
        ('{"outputs": {"pipeline": 1}}', r"state .*terraform\.tfstate can't be read .*: put"),
    ],
    ids=["absent", "destroyed", "changed", "cut", "list", "no-outputs"],
)
def test_what_a_labs_state_lacks_is_named_in_one_sentence(
    tmp_path: Path, state: str | None, sentence: str
) -> None:
    (tmp_path / "root").mkdir()
    if state is not None:
        (tmp_path / "root" / "terraform.tfstate").write_text(state)
    with pytest.raises(PipelineError, match=sentence):
        root.needed(tmp_path)


def test_a_note_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "kept.json").write_text('{"endpoint": ')
    with pytest.raises(PipelineError, match=r"kept\.json can't be read .*: delete it"):
        folder.look(tmp_path)


def test_a_lab_whose_terraform_state_is_gone_is_not_applied_over(tmp_path: Path) -> None:
    kept = folder.Kept("http://127.0.0.1:4566", 4566, 0, True)
    with pytest.raises(PipelineError, match=r"terraform\.tfstate is gone.* put it back, or end"):
        lifecycle.apply_again(tmp_path, kept, Console(file=io.StringIO()), {}, "Changed")


def test_an_emulator_that_is_busy_is_waited_for(tmp_path: Path) -> None:
    class Busy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # Longer than an idle emulator takes at most.
            threading.Event().wait(2.5)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Busy) as server:
        threading.Thread(target=server.serve_forever).start()
        port = server.server_port
        folder.expect_answer(tmp_path, folder.Kept(f"http://127.0.0.1:{port}", port, 1, ready=True))
        server.shutdown()
    with pytest.raises(
        PipelineError, match=r"does not answer on .*: wait if this machine is busy, or"
    ):
        folder.expect_answer(tmp_path, folder.Kept("http://127.0.0.1:9", 9, 1, ready=True))


def test_a_bar_that_is_full_does_not_say_planning() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=80)
    queue = "aws_sqs_queue.this", "create"
    kinds = ("planned_change", "apply_start", "apply_complete")
    events = [Event(kind, *queue) for kind in kinds]
    assert list(progress.follow(console, "planning", events)) == events
    assert "finishing" in screen.getvalue().rpartition("1/1")[2]


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_after_the_file_for_shells_every_aws_command_line_is_told_the_labs_endpoint(
    tmp_path: Path, shell: str
) -> None:
    folder.write_env(tmp_path, "http://127.0.0.1:4566", {})
    old = tmp_path / "aws"
    old.write_text('#!/bin/sh\nfor each; do echo "$each"; done\necho "$AWS_ENDPOINT_URL"\n')
    old.chmod(0o755)
    script = 'alias aws=false; . "$0/env" && aws s3 cp "a b" s3://bucket/'
    answer = subprocess.check_output(
        [shell, "-c", script, str(tmp_path)], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, text=True
    )
    endpoint = "http://127.0.0.1:4566"
    given = ["--endpoint-url", endpoint, "s3", "cp", "a b", "s3://bucket/"]
    assert answer.splitlines() == [*given, endpoint]
