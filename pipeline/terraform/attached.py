"""A provider that keeps running from one Terraform to the next, with a small schema.

To start a provider and to read the schema of its 1,500 resources costs more than most runs.
"""

import contextlib
import json
import os
import re
import subprocess
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.paths import ROOT
from pipeline.terraform.binary import find_terraform
from pipeline.terraform.guard import guarded
from pipeline.terraform.provider import PROVIDER, find_provider_binary
from pipeline.terraform.run import HELD_OPEN, installed
from pipeline.terraform.schema_proxy import schema_proxy

_ATTACH = re.compile(r"TF_REATTACH_PROVIDERS='(.+)'")
_START_SECONDS = 60.0
_POLL_SECONDS = 0.02


@contextlib.contextmanager
def attached(root: Path, environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Terraform's environment for the initialised `root`, while its provider runs.

    For roots of the tooling: the provider knows the types of the module, the root and its state.
    Where it does not start so, Terraform has to start it, and says what is wrong with it.
    """
    found: dict[str, str] = {}
    folder, version = root / ".terraform", installed(root)
    platform = find_terraform(environment)
    binary = find_provider_binary(folder / "providers", platform, version) if version else None
    with contextlib.ExitStack() as owner:
        if binary is not None:
            files = (*ROOT.glob("*.tf"), *ROOT.glob("modules/*/*.tf"), *root.glob("*.tf*"))
            run = running(binary, environment, root, types(files), folder / "provider.log")
            with contextlib.suppress(PipelineError):
                found = owner.enter_context(run)
        yield {**environment, **found}


def types(files: Iterable[Path]) -> set[str]:
    """Every word of these files that may be a type of the AWS provider."""
    text = (file.read_text("utf-8", errors="replace") for file in files if file.is_file())
    return {word for each in text for word in re.findall(r"\baws_\w+", each)}


@contextlib.contextmanager
def running(
    binary: Path,
    environment: Mapping[str, str],
    folder: Path,
    wanted: Collection[str],
    log: Path,
) -> Iterator[dict[str, str]]:
    """Run one provider process for every Terraform started meanwhile, with the types `wanted`.

    Yields what to add to their environment. `environment` is Terraform's, with the endpoint and
    the keys in it: a provider that is already running reads them from its own environment, not
    from Terraform's, and files from `folder`. What it says goes to `log`. It ends with the
    block, and with the last Terraform where this process is killed.

    Raises PipelineError when it does not start.
    """
    watched, open_end = os.pipe()
    with log.open("wb") as output:
        process = subprocess.Popen(
            guarded([str(binary), "-debug"], grace_seconds=5),
            stdin=watched,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
        )
    HELD_OPEN.add(open_end)
    deadline = time.monotonic() + _START_SECONDS
    sockets: list[Path] = []
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
        sockets += [Path(address), Path(f"{address}s")]
        with schema_proxy(address, f"{address}s", wanted, watched):
            yield {"TF_REATTACH_PROVIDERS": attach[1].replace(address, f"{address}s")}
    finally:
        HELD_OPEN.discard(open_end)
        os.close(watched)
        os.close(open_end)
        process.terminate()
        process.wait()
        for each in sockets:
            each.unlink(missing_ok=True)
