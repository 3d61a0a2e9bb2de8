"""Run ministack, an AWS emulator, on loopback and nowhere else, as long as it is wanted."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import psutil

from pipeline.emulator.ports import HOST, free_port, is_free, user_of
from pipeline.errors import PipelineError

REGION = "us-east-1"
# ministack's own account for the root keys "test".
ACCOUNT_ID = "000000000000"

_REPAIRS = Path(__file__).with_name("repairs.py").resolve()
# The prefix of an emulator's own temporary folder.
PRIVATE = "emulator-"
_START_SECONDS = 30.0
_STOP_SECONDS = 20.0
_POLL_SECONDS = 0.05
# What the emulator may inherit: its own environment reaches every function that it runs.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ")


@dataclass(frozen=True)
class Emulator:
    """A running emulator: the port it listens on, and its own process."""

    port: int
    pid: int

    @property
    def endpoint(self) -> str:
        """Its URL."""
        return f"http://{HOST}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What AWS clients and Terraform need to reach it: root keys, region, endpoint."""
        return client_environment(self.endpoint)


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
    count. Its state is saved in `state_dir` every second or two and at the end, and found again by
    the next emulator with the same folder, whatever its port. Without a `port` it takes a free one.
    `repaired=False` leaves out `pipeline.emulator.repairs`.

    Raises PipelineError when the port is taken or the emulator does not come up.
    """
    options = ["--tied"] if repaired else ["--tied", "--unrepaired"]
    process, private_tmp, running = _start(work_dir, port, state_dir, options, auth=auth)
    try:
        yield running
    finally:
        _stop(process, private_tmp)
        process.stdin.close()


def start_detached(work_dir: Path, port: int | None = None) -> Emulator:
    """Like `emulator`, but it outlives this process; `stop_detached` ends it.

    Its state is saved in `state`, below `work_dir`. Raises PipelineError.
    """
    return _start(work_dir, port, work_dir / "state", [], auth=True)[2]


def stop_detached(pid: int) -> bool:
    """End an emulator of `start_detached`; False where `pid` is none (any more)."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        if private_tmp := _private_tmp(process):
            _stop(process, private_tmp)
            return True
    return False


def emulators_in(work_dir: Path) -> list[int]:
    """The processes of all emulators that were started with this `work_dir`."""
    folder = work_dir.resolve()
    return [
        process.pid
        for process in psutil.process_iter()
        if (private_tmp := _private_tmp(process)) and private_tmp.parent == folder
    ]


def answers(endpoint: str, seconds: float = 2.0) -> bool:
    """Whether an emulator answers there within so many seconds."""
    return ask(endpoint, "GET", "/_ministack/ready", seconds) is not None


def ask(endpoint: str, method: str, path: str, seconds: float) -> int | None:
    """The HTTP status of an emulator's answer; None where none came within so many seconds."""
    # Not urllib, which reads all certificates of the system first, and may ask a proxy.
    connection = HTTPConnection(endpoint.removeprefix("http://"), timeout=seconds)
    try:
        connection.request(method, path)
        return connection.getresponse().status
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()


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
        # S3 Control puts the account before the endpoint's host, a name that does not resolve; the
        # provider goes through this proxy then, and to an IP of loopback always directly. Only in
        # capitals: curl, wget and apt read the lower-case name, and must reach the internet.
        "HTTP_PROXY": endpoint,
        # botocore sends even loopback through a proxy.
        "NO_PROXY": bypass,
        "no_proxy": bypass,
    }


def point_this_process_at(environment: Mapping[str, str]) -> None:
    """Keep boto3 from the operator's own account; `environment` is a client's."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(environment)


def _private_tmp(process: psutil.Process) -> Path | None:
    """The temporary folder of an emulator's own; None where the process is no emulator."""
    with contextlib.suppress(psutil.Error):
        match process.cmdline():
            # Also one that another copy of this program started.
            case [_, "-I", script, private_tmp, *_] if script.endswith("/emulator/repairs.py"):
                return Path(private_tmp)
    return None


class _PortTakenError(PipelineError):
    """Another process took the port while the emulator started."""


def _start(
    work_dir: Path, port: int | None, state_dir: Path | None, options: list[str], *, auth: bool
) -> tuple[psutil.Popen, Path, Emulator]:
    if port is not None and not is_free(port):
        raise PipelineError(
            f"Port {port} on {HOST} is taken{user_of(port)}: "
            "end what listens there, or give another port (none takes a free one)."
        )
    work_dir = work_dir.resolve()
    work_dir.mkdir(parents=True, exist_ok=True)
    private_tmp = Path(tempfile.mkdtemp(prefix=PRIVATE, dir=work_dir))
    # No state of a service that we do not use may land in /tmp.
    state = (state_dir or private_tmp / "state").resolve()
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    (state / "s3").mkdir(exist_ok=True)
    saved = "1" if state_dir else "0"
    running_on = port or free_port()
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    environment |= {
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(running_on),
        "MINISTACK_REGION": REGION,
        "IOT_MTLS_ENABLED": "0",
        "AUTH": "true" if auth else "false",
        "TMPDIR": str(private_tmp),
        "STATE_DIR": str(state),
        "S3_DATA_DIR": str(state / "s3"),
        "PERSIST_STATE": saved,
        "S3_PERSIST": saved,
        "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "0.05",
        "PYTHONUTF8": "1",
    }
    log = work_dir / "emulator.log"
    with log.open("ab") as output:
        started_at = output.tell()
        process = psutil.Popen(
            [sys.executable, "-I", str(_REPAIRS), str(private_tmp), *options],
            env=environment,
            cwd=private_tmp,
            stdin=subprocess.PIPE if "--tied" in options else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    running = Emulator(running_on, process.pid)
    try:
        _await_ready(process, running.endpoint, log, started_at)
    except BaseException as error:
        _stop(process, private_tmp)
        if port is None and isinstance(error, _PortTakenError):
            return _start(work_dir, port, state_dir, options, auth=auth)
        raise
    return process, private_tmp, running


def _await_ready(process: psutil.Popen, endpoint: str, log: Path, started_at: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not answers(endpoint):
        # The pause between two looks is a wait for the process to fail.
        with contextlib.suppress(psutil.TimeoutExpired):
            status = process.wait(_POLL_SECONDS)
            last = _last_lines(log, started_at)
            kind = _PortTakenError if "in use" in last else PipelineError
            raise kind(
                f"The emulator ended at start with status {status} (all of it: {log}): {last}"
            )
        if time.monotonic() > deadline:
            raise PipelineError(
                f"The emulator did not answer on {endpoint} within {_START_SECONDS:.0f} s "
                f"(all of it: {log}): {_last_lines(log, started_at)}"
            )


def _last_lines(log: Path, started_at: int) -> str:
    printed = log.read_bytes()[started_at:].decode(errors="replace").strip()
    return "\n".join(printed.splitlines()[-5:]) or "it printed nothing"


def _stop(process: psutil.Process | psutil.Popen, private_tmp: Path) -> None:
    """End an emulator and the workers of its functions."""
    with contextlib.suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
        process.terminate()
        process.wait(_STOP_SECONDS)
    # Function workers are in its group; a busy worker would outlive it.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
        process.wait(_STOP_SECONDS)
    # It does so itself, unless it was killed.
    shutil.rmtree(private_tmp, ignore_errors=True)
