"""Find the AWS provider, online or offline, without touching the user's own files.

It comes from where the user's own Terraform CLI configuration installs providers from, or from the
folder in `TF_PLUGIN_MIRROR` (both together are refused). Without either, it comes from Terraform's
implied local mirrors, from a mirror one level below `/opt`, or from the registry.
"""

import contextlib
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.terraform.binary import find_terraform

PROVIDER = "registry.terraform.io/hashicorp/aws"
# The tested release: the roots that the tooling writes require exactly this version.
PROVIDER_RUN = "5.100.0"
# Names another release to try.
PROVIDER_VARIABLE = "PIPELINE_AWS_PROVIDER"
# As versions.tf has it; a unit test compares the two.
PROVIDER_RANGE = ">= 5.100, != 6.29.0, < 7.0"
_PROVIDER_FROM, _PROVIDER_BELOW, _PROVIDER_NOT = (5, 100, 0), (7, 0, 0), {(6, 29, 0)}

_ADDON_FOLDER = Path("/opt")

# Of Terraform's own variables only those about reaching a registry pass: the rest (TF_VAR_*,
# TF_CLI_ARGS*, TF_WORKSPACE, TF_DATA_DIR, TF_LOG*…) belongs to the operator's other work.
_KEPT_TERRAFORM_VARIABLES = ("TF_PLUGIN_CACHE", "TF_REGISTRY_", "TF_TOKEN_", "TF_PROVIDER_DOWNLOAD")
# A socket's path may have some 104 bytes, and a provider's socket lies in TMPDIR.
_LONGEST_TMPDIR = 80


def terraform_environment(work_dir: Path) -> dict[str, str]:
    """The environment for a Terraform process whose AWS is an emulator.

    `work_dir` receives a CLI configuration where a mirror needs one, and a private TMPDIR. Nothing
    of the operator's AWS or Terraform settings that could reach a real account passes. The variable
    PIPELINE_AWS_PROVIDER in it is the version that `pipeline.terraform.run.init` asks for.

    Raises PipelineError without a Terraform that is supported, without the provider that
    PIPELINE_AWS_PROVIDER names, and where a mirror holds only providers that can't be used.
    """
    platform = find_terraform()
    wanted = _wanted()
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AWS_")
        and (not name.startswith("TF_") or name.startswith(_KEPT_TERRAFORM_VARIABLES))
    }
    environment |= {
        PROVIDER_VARIABLE: wanted,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "CHECKPOINT_DISABLE": "1",
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
    }
    work_dir.mkdir(parents=True, exist_ok=True)
    private_tmp = work_dir.resolve() / "tmp"
    if len(os.fsencode(private_tmp)) <= _LONGEST_TMPDIR:
        private_tmp.mkdir(exist_ok=True)
        environment["TMPDIR"] = str(private_tmp)
    if own := _own_configuration():
        environment["TF_CLI_CONFIG_FILE"] = str(own)
    mirror = find_mirror(platform, wanted)
    if mirror is None:
        return environment
    environment[PROVIDER_VARIABLE] = _choose(mirror, platform, wanted)
    # What Terraform finds by itself needs no configuration.
    if mirror not in implied_mirrors():
        environment["TF_CLI_CONFIG_FILE"] = str(write_configuration(mirror, work_dir))
    return environment


def _wanted() -> str:
    """The provider's version that the caller asks for, else the tested version."""
    asked = os.environ.get(PROVIDER_VARIABLE) or PROVIDER_RUN
    if _in_range(asked):
        return asked
    raise PipelineError(
        f"{PROVIDER_VARIABLE} is {asked!r}: name one release in the range {PROVIDER_RANGE}, "
        f"{PROVIDER_RUN} for example, or unset it."
    )


def _choose(mirror: Path, platform: str, wanted: str) -> str:
    """`wanted` if the mirror has it, else the mirror's newest in our range, unless asked for."""
    found = sorted(_usable(mirror, platform), key=_version)
    if wanted in found:
        return wanted
    if os.environ.get(PROVIDER_VARIABLE):
        raise PipelineError(
            f"{PROVIDER_VARIABLE} is {wanted}, but {mirror} has {', '.join(found)} of {PROVIDER}: "
            "name one of these, or unset it."
        )
    return found[-1]


def _own_configuration() -> Path | None:
    file = Path(os.environ.get("TF_CLI_CONFIG_FILE") or "/nonexistent")
    return file if file.is_file() else None


def configurations() -> list[Path]:
    """The user's Terraform CLI configurations that configure how providers are installed."""
    own = _own_configuration()
    theirs = [_home() / ".terraformrc", *sorted(_home().glob(".terraform.d/*.tfrc"))]
    return [file for file in ([own] if own else theirs) if _installs_providers(file)]


def _installs_providers(file: Path) -> bool:
    with contextlib.suppress(OSError):
        text = file.read_text(encoding="utf-8", errors="replace")
        text = re.sub(r"/\*.*?\*/|(#|//)[^\n]*", "", text, flags=re.DOTALL)
        return bool(re.search(r"^\s*\"?provider_installation\"?\s*[:{]", text, re.MULTILINE))
    return False


def find_mirror(platform: str, wanted: str) -> Path | None:
    """The mirror to take the provider from; None where Terraform itself finds out.

    It is TF_PLUGIN_MIRROR. Without that it is, of the implied local mirrors and those below /opt,
    the first with the `wanted` provider, or the first with another version in our range.

    Raises PipelineError where no provider in TF_PLUGIN_MIRROR can be used, or in a mirror because
    of which Terraform would not ask the registry.
    """
    own = configurations()
    if given := os.environ.get("TF_PLUGIN_MIRROR"):
        if own:
            raise PipelineError(
                f"TF_PLUGIN_MIRROR is {given}, but {own[0]} already configures how providers are "
                "installed: unset TF_PLUGIN_MIRROR, or remove provider_installation there."
            )
        if not _usable(Path(given), platform):
            raise PipelineError(f"TF_PLUGIN_MIRROR is {given}, {_fault(Path(given), platform)}.")
        return Path(given)
    if own:
        return None
    addons = sorted(folder.parents[2] for folder in _ADDON_FOLDER.glob(f"*/{PROVIDER}"))
    found = {folder: _usable(folder, platform) for folder in [*implied_mirrors(), *addons]}
    usable = [folder for folder, versions in found.items() if versions]
    with_wanted = [folder for folder in usable if wanted in found[folder]]
    for folder in implied_mirrors():
        if not usable and any(_providers(folder)):
            raise PipelineError(f"The provider mirror is {folder}, {_fault(folder, platform)}.")
    return next(iter([*with_wanted, *usable]), None)


def implied_mirrors() -> list[Path]:
    """The folders that Terraform searches by itself where no CLI configuration says otherwise."""
    plugins = _home() / ".terraform.d/plugins"
    if sys.platform == "darwin":
        support = Path("Library/Application Support/io.terraform/plugins")
        return [plugins, _home() / support, Path("/") / support]
    data_home = os.environ.get("XDG_DATA_HOME") or str(_home() / ".local/share")
    data_dirs = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    shared = [data_home, *filter(None, data_dirs.split(":"))]
    return [plugins, *(Path(folder) / "terraform/plugins" for folder in shared)]


def _providers(mirror: Path) -> Iterator[tuple[str, str, Path]]:
    """Version, platform and file of each provider in a mirror folder, packed or unpacked."""
    folder = mirror / PROVIDER
    for package in sorted(folder.glob("terraform-provider-aws_*_*.zip")):
        _, version, platform = package.stem.split("_", 2)
        yield version, platform, package
    for executable in sorted(folder.glob("*/*/terraform-provider-aws*")):
        yield executable.parts[-3], executable.parts[-2], executable


def _usable(mirror: Path, platform: str) -> dict[str, Path]:
    """The providers in our range that a mirror folder has for `platform`, by version."""
    return {
        version: file
        for version, built_for, file in _providers(mirror)
        if built_for == platform
        and _in_range(version)
        and (file.suffix == ".zip" or os.access(file, os.X_OK))
    }


def _fault(mirror: Path, platform: str) -> str:
    """Why nothing in a mirror can be used, and the fix: `which has …: name …`."""
    fix = f"name one folder with {PROVIDER} {PROVIDER_RANGE} for {platform} in TF_PLUGIN_MIRROR"
    if not mirror.is_dir():
        return f"which is no folder: {fix}, or unset it"
    found = list(_providers(mirror))
    for version, built_for, file in found:
        if built_for == platform and _in_range(version):
            return f"where {file} is not executable: run `chmod +x` on it"
    listed = ", ".join(f"{version} for {built_for}" for version, built_for, _ in found)
    return f"which has {f'only {listed}' if found else f'no {PROVIDER}'}: {fix}"


def write_configuration(mirror: Path, work_dir: Path) -> Path:
    """Write a CLI configuration that takes the AWS provider from `mirror` and the rest directly."""
    file = work_dir.resolve() / "terraform.tfrc"
    text = f"""\
provider_installation {{
  filesystem_mirror {{
    path    = {hcl_string(str(mirror.resolve()))}
    include = ["{PROVIDER}"]
  }}
  direct {{
    exclude = ["{PROVIDER}"]
  }}
}}
"""
    file.write_text(text, encoding="utf-8")
    return file


def hcl_string(text: str) -> str:
    """A string literal: JSON's, but for templates."""
    quoted = json.dumps(text, ensure_ascii=False)
    return quoted.replace("${", "$${").replace("%{", "%%{")


def no_provider_error(reason: str, wanted: str) -> PipelineError:
    """The error for a `terraform init` that got no provider; `reason` is Terraform's own."""
    places = os.environ.get("TF_PLUGIN_MIRROR") or ", ".join(map(str, configurations()))
    if places:
        return PipelineError(
            f"Terraform got no {PROVIDER} {wanted} from {places} ({reason}): fix that, or name "
            "another mirror in TF_PLUGIN_MIRROR or another file in TF_CLI_CONFIG_FILE."
        )
    searched = ", ".join(map(str, [*implied_mirrors(), _ADDON_FOLDER / "*"]))
    return PipelineError(
        f"No {PROVIDER} {wanted}: none that can be used in TF_PLUGIN_MIRROR (not set), {searched}, "
        f"and none from the registry ({reason}): connect to the internet, or set TF_PLUGIN_MIRROR "
        f"to a folder that has {PROVIDER}/."
    )


def find_provider_binary(folder: Path, platform: str, version: str) -> Path | None:
    """The executable of a `version` in an unpacked mirror, or in `.terraform/providers`."""
    file = _usable(folder, platform).get(version)
    return None if file is None or file.suffix == ".zip" else file


def _in_range(text: str) -> bool:
    # As for Terraform, a pre-release satisfies no range.
    return (
        bool(re.fullmatch(r"\d+\.\d+\.\d+", text))
        and _PROVIDER_FROM <= _version(text) < _PROVIDER_BELOW
        and _version(text) not in _PROVIDER_NOT
    )


def _version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        # A container's user may have none.
        return Path("/nonexistent")
