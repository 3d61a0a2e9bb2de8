"""One provider process for many runs of Terraform: starting one costs more than most runs."""

import contextlib
import json
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.terraform.binary import find_terraform
from pipeline.terraform.guard import guarded
from pipeline.terraform.provider import (
    PROVIDER,
    PROVIDER_VARIABLE,
    find_mirror,
    find_provider_binary,
)
from pipeline.terraform.run import init
from tools.schema_proxy import schema_proxy, types

_ATTACH = re.compile(r"TF_REATTACH_PROVIDERS='(.+)'")
_START_SECONDS = 60.0
_POLL_SECONDS = 0.02


@contextlib.contextmanager
def shared_provider(environment: Mapping[str, str], work_dir: Path) -> Iterator[dict[str, str]]:
    """Run one provider process for every Terraform started meanwhile, with the project's types.

    Yields what to add to their environment. `environment` is Terraform's, with the endpoint and
    the keys in it: a provider that is already running reads them from its own environment, not
    from Terraform's. It ends with the block, and with this process, however that dies.

    Raises PipelineError when no provider is found or it does not start.
    """
    binary = _binary(environment, work_dir)
    log = work_dir / "provider.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            guarded([str(binary), "-debug"], grace_seconds=5),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=work_dir,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_SECONDS
    try:
        while not (attach := _ATTACH.search(log.read_text(encoding="utf-8", errors="replace"))):
            if process.poll() is not None or time.monotonic() > deadline:
                last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
                raise PipelineError(
                    f"{binary} did not start ({' '.join(last) or 'no message'}): "
                    "run it with -debug by hand to see why."
                )
            time.sleep(_POLL_SECONDS)
        # Beside the provider's own: the path of a socket can't be long.
        address = json.loads(attach[1])[PROVIDER]["Addr"]["String"]
        with schema_proxy(address, f"{address}s", types()):
            yield {"TF_REATTACH_PROVIDERS": attach[1].replace(address, f"{address}s")}
    finally:
        process.terminate()
        process.communicate()


def _binary(environment: Mapping[str, str], work_dir: Path) -> Path:
    """The provider's executable. Raises PipelineError."""
    platform, wanted = find_terraform(environment), environment[PROVIDER_VARIABLE]
    mirror = find_mirror(platform, wanted)
    if mirror is not None and (binary := find_provider_binary(mirror, platform, wanted)):
        return binary
    # Packed mirrors and the registry are unpacked by Terraform itself, below an empty root.
    root = work_dir / "provider"
    root.mkdir(parents=True, exist_ok=True)
    installed = init(root, environment)
    binary = find_provider_binary(root / ".terraform/providers", platform, installed)
    if binary is None:
        raise PipelineError(
            f"{root} was initialised but has no {PROVIDER}: delete it and try again."
        )
    return binary
