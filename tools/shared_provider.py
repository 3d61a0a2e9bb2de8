"""One provider process for all of a check's runs of Terraform, with the types the project names."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.paths import ROOT
from pipeline.terraform.attached import running, types
from pipeline.terraform.binary import find_terraform
from pipeline.terraform.provider import (
    PROVIDER,
    PROVIDER_VARIABLE,
    find_mirror,
    find_provider_binary,
)
from pipeline.terraform.run import init

_READ = ("*.tf", *(f"{folder}/**/*" for folder in ("docs", "examples", "modules", "tests")))
_SUFFIXES = {".tf", ".py", ".md", ".json"}


@contextlib.contextmanager
def shared_provider(environment: Mapping[str, str], work_dir: Path) -> Iterator[dict[str, str]]:
    """See `pipeline.terraform.attached.running`; the provider is the one in `environment`.

    Raises PipelineError when none is found or it does not start.
    """
    files = (file for pattern in _READ for file in ROOT.glob(pattern) if file.suffix in _SUFFIXES)
    wanted = types(file for file in files if ".terraform" not in file.parts)
    binary, log = _binary(environment, work_dir), work_dir / "provider.log"
    with running(binary, environment, work_dir, wanted, log) as attach:
        yield attach


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
