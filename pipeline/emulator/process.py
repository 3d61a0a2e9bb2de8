"""Run ministack, an AWS emulator, on loopback and nowhere else, as long as it is wanted."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path

from pipeline.emulator.ports import HOST, free_port, is_free, user_of
from pipeline.errors import PipelineError

REGION = "us-east-1"
# ministack's own account for the root keys "test".
ACCOUNT_ID = "000000000000"

_REPAIRED = Path(__file__).with_name("repairs.py").resolve()
# What the name of an emulator's own temporary folder begins with.
PRIVATE = "emulator-"
_START_SECONDS = 30.0
_STOP_SECONDS = 20.0
_POLL_SECONDS = 0.05
# What the emulator may inherit: its own environment reaches every function that it runs.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ")


@dataclass(frozen=True)
class Emulator:
    """A running emulator.

    `endpoint` is its URL, `pid` its own process, `log` what it printed, `environment` what AWS
    clients and Terraform need to reach it and nothing else (root keys, region, endpoint).
    """

    endpoint: str
    port: int
    pid: int
    log: Path
    environment: dict[str, str] = field(repr=False)


@contextlib.contextmanager
def emulator(
    work_dir: Path,
    *,
    auth: bool = True,
    state_dir: Path | None = None,
    port: int | None = None,
    repaired: bool = True,
) -> Iterator[Emulator]:
    """An emulator that ends with the block and with this process, however that dies.

    `work_dir` receives its log and its temporary files. With `auth` IAM policies and signatures
    count. `state_dir` makes what it holds survive: it is saved there every second or two and at the
    end, and found again by the next emulator that is given the same folder, whatever its port.
    Without a `port` it takes a free one. `repaired=False` leaves out `pipeline.emulator.repairs`.

    Raises PipelineError when the port is taken or the emulator does not come up.
    """
    process, private_tmp, running = _start(work_dir, auth, state_dir, port, repaired, tied=True)
    try:
        yield running
    finally:
        _stop(process, private_tmp)


def start_detached(
    work_dir: Path, *, state_dir: Path | None = None, port: int | None = None
) -> Emulator:
    """Like `emulator`, but it outlives this process; `stop_detached` ends it.

    Raises PipelineError.
    """
    return _start(work_dir, True, state_dir, port, True, tied=False)[2]


def stop_detached(pid: int) -> bool:
    """End an emulator of `start_detached`; False where `pid` is none (any more)."""
    if not is_emulator(pid):
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while is_emulator(pid):
        if time.monotonic() > deadline:
            _kill_group(pid)
        time.sleep(_POLL_SECONDS)
    return True


def is_emulator(pid: int) -> bool:
    """Whether the process `pid` is one of our emulators, and not a number used again."""
    return pid in _emulators("-p", str(pid))


def emulators_in(work_dir: Path) -> list[int]:
    """The processes of all emulators that were started with this `work_dir`, noted or not."""
    mine = f" {work_dir.resolve()}/{PRIVATE}"
    return [pid for pid, command in _emulators("-A").items() if mine in command]


def answers(endpoint: str, seconds: float = 2.0) -> bool:
    """Whether an emulator answers there within so many seconds."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    ready = f"{endpoint}/_ministack/ready"
    with contextlib.suppress(OSError, HTTPException), opener.open(ready, timeout=seconds):
        return True
    return False


def client_environment(endpoint: str) -> dict[str, str]:
    """What an AWS client needs to talk to `endpoint` with an emulator's root keys."""
    given = os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or ""
    names = [name for name in given.split(",") if name]
    # `*` would spare our own proxy, too: so no proxy is the user's, which is what it meant.
    own = {} if "*" not in names else {"HTTPS_PROXY": "", "https_proxy": ""}
    bypass = ",".join(dict.fromkeys([*(name for name in names if name != "*"), HOST]))
    return own | {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "3",
        # S3 Control puts the account before the endpoint's host, a name that nobody resolves; the
        # provider goes through this proxy then, and to an IP of loopback always directly. Only in
        # capitals: curl, wget and apt read the other one, and are to reach the internet.
        "HTTP_PROXY": endpoint,
        # botocore sends even loopback through a proxy.
        "NO_PROXY": bypass,
        "no_proxy": bypass,
    }


def point_this_process_at(environment: Mapping[str, str]) -> None:
    """Leave boto3 no way to the operator's own account; `environment` is a client's."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(environment)


def _emulators(*which: str) -> dict[int, str]:
    """Our emulators among the processes that `ps` is asked for, with their command lines."""
    # Without -ww the width of the terminal would cut the command off.
    shown = subprocess.run(
        ["ps", "-ww", "-o", "pid=", "-o", "stat=", "-o", "command=", *which],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    started_as = f"/{_REPAIRED.parent.name}/{_REPAIRED.name} "
    found = {}
    for line in shown.stdout.splitlines():
        pid, status, command = (*line.split(None, 2), "", "", "")[:3]
        if " -I " in command and started_as in command and not status.startswith("Z"):
            found[int(pid)] = command
    return found


def _start(
    work_dir: Path,
    auth: bool,
    state_dir: Path | None,
    port: int | None,
    repaired: bool,
    tied: bool,
) -> tuple[subprocess.Popen[bytes], Path, Emulator]:
    if port is not None and not is_free(port):
        raise PipelineError(
            f"Port {port} on {HOST} is taken{user_of(port)}: "
            "end what listens there, or give another port (none takes a free one)."
        )
    work_dir.mkdir(parents=True, exist_ok=True)
    log = work_dir.resolve() / "emulator.log"
    # Between finding a free port and listening on it somebody else may take it.
    for attempt in range(3):
        chosen = port or free_port()
        try:
            return _start_on(chosen, work_dir.resolve(), log, auth, state_dir, repaired, tied)
        except _PortTakenError:
            if port is not None or attempt == 2:
                raise
    raise AssertionError("unreachable")


class _PortTakenError(PipelineError):
    """Somebody took the port while the emulator started."""


def _start_on(
    port: int,
    work_dir: Path,
    log: Path,
    auth: bool,
    state_dir: Path | None,
    repaired: bool,
    tied: bool,
) -> tuple[subprocess.Popen[bytes], Path, Emulator]:
    private_tmp = Path(tempfile.mkdtemp(prefix=PRIVATE, dir=work_dir))
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    environment |= {
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": REGION,
        "IOT_MTLS_ENABLED": "0",
        "AUTH": "true" if auth else "false",
        "TMPDIR": str(private_tmp),
        # No state of a service that we do not use may land in /tmp.
        "STATE_DIR": str((state_dir or private_tmp / "state").resolve()),
        "S3_DATA_DIR": str((state_dir or private_tmp / "state").resolve() / "s3"),
        "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "0.05",
        "PYTHONUTF8": "1",
    }
    if state_dir is not None:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        (state_dir / "s3").mkdir(exist_ok=True)
        environment |= {"PERSIST_STATE": "1", "S3_PERSIST": "1"}
    command = [sys.executable, "-I", str(_REPAIRED), str(private_tmp)]
    command += [*(["--tied"] if tied else []), *([] if repaired else ["--unrepaired"])]
    with log.open("ab") as output:
        started_at = output.tell()
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=private_tmp,
            stdin=subprocess.PIPE if tied else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        endpoint = f"http://{HOST}:{port}"
        _await_ready(process, endpoint, log, started_at)
    except BaseException:
        _stop(process, private_tmp)
        raise
    running = Emulator(endpoint, port, process.pid, log, client_environment(endpoint))
    return process, private_tmp, running


def _await_ready(
    process: subprocess.Popen[bytes], endpoint: str, log: Path, started_at: int
) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        # The pause between two looks is a wait for the process to fail.
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = process.wait(_POLL_SECONDS)
            said = _last_lines(log, started_at)
            kind = _PortTakenError if "in use" in said else PipelineError
            raise kind(
                f"The emulator ended at start with status {status} (all of it: {log}): {said}"
            )
        if answers(endpoint):
            return
        if time.monotonic() > deadline:
            raise PipelineError(
                f"The emulator did not answer on {endpoint} within {_START_SECONDS:.0f} s "
                f"(all of it: {log}): {_last_lines(log, started_at)}"
            )


def _last_lines(log: Path, started_at: int) -> str:
    said = log.read_bytes()[started_at:].decode(errors="replace").strip()
    return "\n".join(said.splitlines()[-5:]) or "it said nothing"


def _stop(process: subprocess.Popen[bytes], private_tmp: Path) -> None:
    try:
        process.terminate()
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        pass
    finally:
        # Function workers are in its group; one that is busy would outlive it.
        _kill_group(process.pid)
        process.wait()
        if process.stdin is not None:
            process.stdin.close()
        # It does so itself, unless it was killed.
        shutil.rmtree(private_tmp, ignore_errors=True)


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
