"""The emulator: reachable from this machine alone, and gone when it is no longer wanted."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest

from pipeline.emulator.process import (
    client_environment,
    emulator,
    emulators_in,
    start_detached,
    stop_detached,
)
from pipeline.errors import PipelineError
from tests.support.poll import until
from tests.support.processes import alive

REPOSITORY = Path(__file__).parents[3]


def s3(environment: dict[str, str]) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    )


@pytest.mark.parametrize(
    ("given", "bypass", "https"),
    [
        ("", "127.0.0.1", "http://proxy:3128"),
        ("example.com,127.0.0.1", "example.com,127.0.0.1", "http://proxy:3128"),
        # It would spare the emulator as a proxy, too, without which S3 Control is out of reach.
        ("*", "127.0.0.1", ""),
    ],
)
def test_plain_http_goes_to_the_emulator_and_https_where_the_user_says(
    monkeypatch: pytest.MonkeyPatch, given: str, bypass: str, https: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", given)
    monkeypatch.delenv("no_proxy", raising=False)
    environment = os.environ | client_environment("http://127.0.0.1:4566")
    assert environment["HTTP_PROXY"] == "http://127.0.0.1:4566"
    assert environment["NO_PROXY"] == environment["no_proxy"] == bypass
    assert environment["HTTPS_PROXY"] == https


def test_a_taken_port_is_named_with_who_has_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with (
            pytest.raises(PipelineError, match=rf"Port {port} on 127\.0\.0\.1 is taken") as raised,
            emulator(tmp_path, port=port),
        ):
            pass
    assert f"by process {os.getpid()}" in str(raised.value)


def test_it_listens_on_one_loopback_port_and_nothing_else(tmp_path: Path) -> None:
    with emulator(tmp_path) as running:
        connections = psutil.Process(running.pid).net_connections()
        listening = {each.laddr for each in connections if each.status == psutil.CONN_LISTEN}
        assert listening == {("127.0.0.1", running.port)}


def test_it_leaves_its_log_and_nothing_else(tmp_path: Path) -> None:
    with emulator(tmp_path) as running:
        s3(running.environment).create_bucket(Bucket="some")
    assert not alive(running.pid)
    assert [file.name for file in tmp_path.iterdir()] == ["emulator.log"]


def test_killed_it_leaves_no_more_than_that(tmp_path: Path) -> None:
    with emulator(tmp_path) as running:
        os.kill(running.pid, signal.SIGKILL)
    assert [file.name for file in tmp_path.iterdir()] == ["emulator.log"]


def test_what_it_held_is_found_again_on_another_port(tmp_path: Path) -> None:
    with emulator(tmp_path, state_dir=tmp_path / "state") as first:
        s3(first.environment).create_bucket(Bucket="kept")
        s3(first.environment).put_object(Bucket="kept", Key="a b", Body=b"content")
    with emulator(tmp_path, state_dir=tmp_path / "state") as second:
        kept = s3(second.environment).get_object(Bucket="kept", Key="a b")
        assert kept["Body"].read() == b"content"


def test_killed_it_has_saved_all_but_the_newest(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with emulator(tmp_path, state_dir=state) as first:
        s3(first.environment).create_bucket(Bucket="kept")
        s3(first.environment).put_bucket_tagging(
            Bucket="kept", Tagging={"TagSet": [{"Key": "newest", "Value": "yes"}]}
        )
        until(lambda: (state / "s3.json").exists() and "newest" in (state / "s3.json").read_text())
        os.kill(first.pid, signal.SIGKILL)
    with emulator(tmp_path, state_dir=state) as second:
        tags = s3(second.environment).get_bucket_tagging(Bucket="kept")["TagSet"]
        assert [tag["Key"] for tag in tags] == ["newest"]


def test_those_in_a_folder_are_found_and_others_are_not(tmp_path: Path) -> None:
    with emulator(tmp_path / "a b") as running, emulator(tmp_path / "a b c"):
        assert emulators_in(tmp_path / "a b") == [running.pid]
    assert emulators_in(tmp_path / "a b") == []


def test_a_crash_at_start_shows_the_last_lines_of_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashing = tmp_path / "crashing.py"
    crashing.write_text("raise SystemExit('the disk is full')")
    monkeypatch.setattr("pipeline.emulator.process._REPAIRS", crashing)
    log = tmp_path / "work/emulator.log"
    with (
        pytest.raises(PipelineError, match=rf"status 1 .*{re.escape(str(log))}.*the disk is full"),
        emulator(tmp_path / "work"),
    ):
        pass
    assert list((tmp_path / "work").iterdir()) == [log]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_when_whoever_started_it_dies(tmp_path: Path, signum: signal.Signals) -> None:
    script = (
        "import sys, pathlib; from pipeline.emulator.process import emulator\n"
        "with emulator(pathlib.Path(sys.argv[1])) as running:\n"
        "    print(running.pid, flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.send_signal(signum)
        parent.wait()
    until(lambda: not alive(pid))
    assert [file.name for file in tmp_path.iterdir()] == ["emulator.log"]


def test_a_detached_one_stays_until_it_is_stopped(tmp_path: Path) -> None:
    running = start_detached(tmp_path)
    assert alive(running.pid)
    assert stop_detached(running.pid)
    assert not alive(running.pid)
    assert not stop_detached(running.pid)


def test_a_process_that_only_names_the_emulators_file_is_never_stopped() -> None:
    program = [sys.executable, "-I", "-c", "input()", "tests/e2e/test_ministack_repairs.py"]
    with subprocess.Popen(program, stdin=subprocess.PIPE) as bystander:
        assert not stop_detached(bystander.pid)
        assert bystander.poll() is None
        bystander.communicate(b"\n")
