"""Find Terraform and the AWS provider, online or offline, without touching the user's own files.

Whose settings win, in this order: the user's own Terraform CLI configuration where it says how
providers are installed; the folder in `TF_PLUGIN_MIRROR`; Terraform's implied local mirrors; a
mirror one level below `/opt`; and, when there is none, the registry.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import PipelineError

MINIMUM_TERRAFORM = (1, 9, 0)
PROVIDER = "registry.terraform.io/hashicorp/aws"
# The one that everything here was run with: the roots that the tooling writes ask for exactly it.
PROVIDER_RUN = "5.100.0"
# Names another one for somebody to try.
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


@dataclass(frozen=True)
class Terraform:
    """The Terraform command that was found: path, version, and platform such as `linux_amd64`."""

    binary: Path
    version: tuple[int, int, int]
    platform: str


def find_terraform(environment: Mapping[str, str] | None = None) -> Terraform:
    """The `terraform` on PATH.

    Raises PipelineError when there is none, when it does not run, or when it is older than 1.9.
    """
    environment = os.environ if environment is None else environment
    found = shutil.which("terraform", path=environment.get("PATH", os.defpath))
    if found is None:
        raise PipelineError(
            "Terraform was not found on PATH: install Terraform 1.9 or newer "
            "(https://developer.hashicorp.com/terraform/install)."
        )
    # TF_CLI_ARGS would change even this, a configuration file that is not there adds a warning.
    quiet = {name: v for name, v in environment.items() if not name.startswith("TF_")}
    try:
        answer = subprocess.run(
            [found, "version", "-json"],
            env={**quiet, "CHECKPOINT_DISABLE": "1"},
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        described = json.loads(answer.stdout)
        text, platform = str(described["terraform_version"]), str(described["platform"])
        version = _version(text)
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        raise PipelineError(
            f"{found} did not tell its version ({error}): install Terraform 1.9 or newer."
        ) from error
    if version < MINIMUM_TERRAFORM:
        raise PipelineError(f"{found} is Terraform {text}: install Terraform 1.9 or newer.")
    return Terraform(Path(found), version, platform)


def terraform_environment(work_dir: Path) -> dict[str, str]:
    """The environment for a Terraform process whose AWS is an emulator.

    `work_dir` receives a CLI configuration where a mirror needs one, and a private TMPDIR. Nothing
    of the operator's AWS or Terraform settings that could reach a real account passes. The variable
    PIPELINE_AWS_PROVIDER in it is the version that `pipeline.terraform.run.init` asks for.

    Raises PipelineError when Terraform is missing or too old, TF_PLUGIN_MIRROR holds no provider,
    or PIPELINE_AWS_PROVIDER can't be had.
    """
    terraform = find_terraform()
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

    given = os.environ.get("TF_PLUGIN_MIRROR")
    if given and not holds_provider(Path(given), terraform.platform):
        raise PipelineError(
            f"TF_PLUGIN_MIRROR is {given}, which holds no {PROVIDER} {PROVIDER_RANGE} for "
            f"{terraform.platform}: name a folder that does, or unset it."
        )
    own = os.environ.get("TF_CLI_CONFIG_FILE")
    if own and Path(own).is_file():
        environment["TF_CLI_CONFIG_FILE"] = own
    if installs_providers(user_configurations()):
        return environment
    mirror = Path(given) if given else find_mirror(terraform.platform, wanted)
    if mirror is None:
        return environment
    environment[PROVIDER_VARIABLE] = _choose(mirror, terraform.platform, wanted)
    # What Terraform finds by itself needs no configuration.
    if mirror not in implied_mirrors():
        environment["TF_CLI_CONFIG_FILE"] = str(write_configuration(mirror, work_dir))
    return environment


def _wanted() -> str:
    """The provider's version that the caller asks for, else the one that was run."""
    asked = os.environ.get(PROVIDER_VARIABLE) or PROVIDER_RUN
    if re.fullmatch(r"\d+\.\d+\.\d+", asked) and _in_range(asked):
        return asked
    raise PipelineError(
        f"{PROVIDER_VARIABLE} is {asked!r}: name one release in the range {PROVIDER_RANGE}, "
        f"{PROVIDER_RUN} for example, or unset it."
    )


def _choose(mirror: Path, platform: str, wanted: str) -> str:
    """`wanted` if the mirror has it, else the mirror's newest in our range, unless asked for."""
    held = _versions(mirror, platform)
    if wanted in held:
        return wanted
    if os.environ.get(PROVIDER_VARIABLE):
        raise PipelineError(
            f"{PROVIDER_VARIABLE} is {wanted}, but {mirror} holds {', '.join(held)} of {PROVIDER}: "
            "name one of these, or unset it."
        )
    return held[-1]


def user_configurations() -> list[Path]:
    """The CLI configuration files that Terraform would read for this user, those that exist."""
    own = os.environ.get("TF_CLI_CONFIG_FILE")
    if own and Path(own).is_file():
        return [Path(own)]
    home = _home()
    if home is None:
        return []
    candidates = [home / ".terraformrc", *sorted(home.glob(".terraform.d/*.tfrc"))]
    return [file for file in candidates if file.is_file()]


def installs_providers(configurations: list[Path]) -> bool:
    """Whether one of these CLI configurations says itself where providers come from."""
    for file in configurations:
        with contextlib.suppress(OSError):
            text = file.read_text(encoding="utf-8", errors="replace")
            text = re.sub(r"/\*.*?\*/|(#|//)[^\n]*", "", text, flags=re.DOTALL)
            if re.search(r"^\s*\"?provider_installation\"?\s*[:{]", text, flags=re.MULTILINE):
                return True
    return False


def find_mirror(platform: str, wanted: str = PROVIDER_RUN) -> Path | None:
    """The first folder with the wanted provider, else the first with one in our range.

    Looked for among the implied local mirrors, then one level below /opt.
    """
    folders = [*implied_mirrors(), *_addon_mirrors()]
    held = {folder: versions for folder in folders if (versions := _versions(folder, platform))}
    with_wanted = (folder for folder, versions in held.items() if wanted in versions)
    return next(with_wanted, next(iter(held), None))


def implied_mirrors() -> list[Path]:
    """The folders that Terraform searches by itself where no CLI configuration says otherwise."""
    home = _home()
    folders = [] if home is None else [home / ".terraform.d/plugins"]
    if sys.platform == "darwin":
        support = Path("Library/Application Support/io.terraform/plugins")
        return [*folders, *([] if home is None else [home / support]), Path("/") / support]
    data_home = os.environ.get("XDG_DATA_HOME") or (home and home / ".local/share")
    data_dirs = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    roots = [*([data_home] if data_home else []), *filter(None, data_dirs.split(":"))]
    return folders + [Path(root) / "terraform/plugins" for root in roots]


def holds_provider(folder: Path, platform: str) -> bool:
    """Whether a mirror folder, unpacked or packed, has the provider for `platform` in our range."""
    return bool(_versions(folder, platform))


def _versions(folder: Path, platform: str) -> list[str]:
    """The provider's versions in our range that a mirror folder has, the newest last."""
    packages = (folder / PROVIDER).glob(f"terraform-provider-aws_*_{platform}.zip")
    packed = {package.name.split("_")[1] for package in packages}
    unpacked = {binary.parts[-3] for binary in _unpacked(folder, platform).values()}
    return sorted(filter(_in_range, packed | unpacked), key=_version)


def write_configuration(mirror: Path, work_dir: Path) -> Path:
    """Write a CLI configuration that takes the AWS provider from `mirror` and the rest directly."""
    file = work_dir.resolve() / "terraform.tfrc"
    # A JSON string is an HCL string but for templates, which a path has to escape.
    path = json.dumps(str(mirror.resolve()), ensure_ascii=False)
    path = path.replace("${", "$${").replace("%{", "%%{")
    file.write_text(
        "provider_installation {\n"
        f'  filesystem_mirror {{\n    path    = {path}\n    include = ["{PROVIDER}"]\n  }}\n'
        f'  direct {{\n    exclude = ["{PROVIDER}"]\n  }}\n'
        "}\n",
        encoding="utf-8",
    )
    return file


def no_provider_error(reason: str, wanted: str) -> PipelineError:
    """The error for a `terraform init` that got no provider; `reason` is Terraform's own."""
    files = user_configurations()
    if installs_providers(files):
        named = ", ".join(map(str, files))
        return PipelineError(
            f"Terraform got no {PROVIDER} {wanted} the way {named} says ({reason}): "
            f"mend that file, or name another one in TF_CLI_CONFIG_FILE."
        )
    searched = ", ".join(map(str, [*implied_mirrors(), _ADDON_FOLDER / "*"]))
    return PipelineError(
        f"No {PROVIDER} {wanted}: no mirror in TF_PLUGIN_MIRROR (not set), {searched}, "
        f"and no answer from the registry ({reason}): connect to the internet, or set "
        f"TF_PLUGIN_MIRROR to a folder that holds {PROVIDER}/."
    )


def find_provider_binary(folder: Path, platform: str, wanted: str) -> Path | None:
    """The executable of the `wanted` version below `folder`, or None.

    `folder` is an unpacked mirror or the `.terraform/providers` of an initialised root.
    """
    return _unpacked(folder, platform).get(_version(wanted))


def _unpacked(folder: Path, platform: str) -> dict[tuple[int, int, int], Path]:
    return {
        _version(executable.parts[-3]): executable
        for executable in (folder / PROVIDER).glob(f"*/{platform}/terraform-provider-aws*")
        if _in_range(executable.parts[-3]) and os.access(executable, os.X_OK)
    }


def _addon_mirrors() -> list[Path]:
    return sorted(folder.parents[2] for folder in _ADDON_FOLDER.glob(f"*/{PROVIDER}"))


def _in_range(text: str) -> bool:
    # As for Terraform, a pre-release satisfies no range.
    return (
        bool(re.fullmatch(r"[\d.]+", text))
        and _PROVIDER_FROM <= _version(text) < _PROVIDER_BELOW
        and _version(text) not in _PROVIDER_NOT
    )


def _version(text: str) -> tuple[int, int, int]:
    numbers = re.match(r"(\d+)(?:\.(\d+))?(?:\.(\d+))?", text)
    if numbers is None:
        raise ValueError(f"{text!r} is not a version")
    major, minor, patch = (int(number or 0) for number in numbers.groups())
    return major, minor, patch


def _home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:
        return None
