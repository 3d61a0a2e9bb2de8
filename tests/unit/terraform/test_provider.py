"""Which Terraform and which provider are found, on all kinds of machines."""

import json
import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.paths import ROOT
from pipeline.terraform import provider
from pipeline.terraform.attached import attached
from pipeline.terraform.binary import find_terraform
from tests.support.processes import alive
from tools.shared_provider import shared_provider

PLATFORM = "linux_amd64"


def fake_terraform(folder: Path, version: str = "1.11.4", program: str = "Terraform") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "terraform"
    script.write_text(f"#!/bin/sh\necho '{program} v{version}'\necho 'on {PLATFORM}'\n")
    script.chmod(0o755)
    return script


def unpacked(mirror: Path, version: str, platform: str = PLATFORM) -> Path:
    folder = mirror / provider.PROVIDER / version / platform
    folder.mkdir(parents=True)
    executable = folder / f"terraform-provider-aws_v{version}_x5"
    executable.write_text("#!/bin/sh\n")
    executable.chmod(0o755)
    return executable


def packed(mirror: Path, version: str, platform: str = PLATFORM) -> Path:
    folder = mirror / provider.PROVIDER
    folder.mkdir(parents=True, exist_ok=True)
    package = folder / f"terraform-provider-aws_{version}_{platform}.zip"
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr(f"terraform-provider-aws_v{version}_x5", "")
    return package


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with Terraform, a home and nothing else; returns the folder for all of it."""
    fake_terraform(tmp_path / "bin")
    (tmp_path / "home").mkdir()
    for name in list(os.environ):
        if name.startswith(("TF_", "AWS_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path / "share"))
    monkeypatch.setattr(provider, "_ADDON_FOLDER", tmp_path / "opt")
    return tmp_path


def test_without_terraform_the_error_tells_what_to_install(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(bare / "empty"))
    with pytest.raises(PipelineError, match=r"not found on PATH: install Terraform 1\.9"):
        provider.terraform_environment(bare / "work")


@pytest.mark.parametrize(
    ("program", "version", "why"),
    [
        ("Terraform", "0.11.15", "which is not supported"),
        ("Terraform", "1.8.5", "which is not supported"),
        ("Terraform", "2.0.0-rc1", "which is not supported"),
        ("OpenTofu", "1.10.6", "which is not tested"),
    ],
)
def test_another_terraform_is_refused_by_version_and_path(
    bare: Path, program: str, version: str, why: str
) -> None:
    script = fake_terraform(bare / "bin", version, program)
    sentence = f"{script} is {program} {version}, {why}: install Terraform 1.9 or newer, below 2.0"
    with pytest.raises(PipelineError, match=re.escape(sentence)):
        find_terraform()


@pytest.mark.parametrize("answer", ["exit 3", "echo hello"])
def test_a_terraform_that_does_not_run_is_named(bare: Path, answer: str) -> None:
    script = fake_terraform(bare / "bin")
    script.write_text(f"#!/bin/sh\n{answer}\n")
    with pytest.raises(PipelineError, match=re.escape(str(script))):
        find_terraform()


def test_nothing_of_the_operators_settings_reaches_terraform(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaking = {
        "AWS_PROFILE": "production",
        "AWS_CA_BUNDLE": "/etc/ssl/bundle.pem",
        "AWS_ACCESS_KEY_ID": "AKIAREAL",
        "AWS_ENDPOINT_URL_S3": "https://s3.example.com",
        "AWS_CONFIG_FILE": "/home/me/.aws/config",
        "AWS_SHARED_CREDENTIALS_FILE": "/home/me/.aws/credentials",
        "TF_VAR_table": "{}",
        "TF_CLI_ARGS_apply": "-target=x",
        "TF_WORKSPACE": "production",
        "TF_DATA_DIR": "/home/me/data",
        "TF_LOG": "trace",
        "TF_REATTACH_PROVIDERS": "{}",
    }
    for name, value in leaking.items():
        monkeypatch.setenv(name, value)
    environment = provider.terraform_environment(bare / "work")
    assert not {n: v for n, v in leaking.items() if environment.get(n) == v}
    assert environment["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
    assert environment["AWS_CONFIG_FILE"] == os.devnull
    assert environment["AWS_EC2_METADATA_DISABLED"] == "true"
    assert environment["CHECKPOINT_DISABLE"] == environment["TF_IN_AUTOMATION"] == "1"


def test_without_any_mirror_the_registry_is_left_to_terraform(bare: Path) -> None:
    assert "TF_CLI_CONFIG_FILE" not in provider.terraform_environment(bare / "work")


def test_a_configuration_file_that_is_not_there_is_not_passed_on(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(bare / "nowhere"))
    assert "TF_CLI_CONFIG_FILE" not in provider.terraform_environment(bare / "work")


@pytest.mark.parametrize("layout", [packed, unpacked])
def test_the_given_mirror_is_used_packed_or_unpacked(
    bare: Path, monkeypatch: pytest.MonkeyPatch, layout: object
) -> None:
    assert callable(layout)
    layout(bare / "mir ror", "6.10.0")
    monkeypatch.setenv("TF_PLUGIN_MIRROR", str(bare / "mir ror"))
    configuration = Path(provider.terraform_environment(bare / "work")["TF_CLI_CONFIG_FILE"])
    assert configuration.parent == bare / "work"
    assert f'path    = "{bare}/mir ror"' in configuration.read_text()


def not_executable(mirror: Path, version: str) -> None:
    unpacked(mirror, version).chmod(0o644)


def for_another_platform(mirror: Path, version: str) -> None:
    packed(mirror, version, "darwin_arm64")


@pytest.mark.parametrize(
    ("layout", "version", "fault"),
    [
        (lambda *_: None, "", "which is no folder: name one folder with"),
        (lambda mirror, _: mirror.mkdir(parents=True), "", "which has no registry.*: name one"),
        (unpacked, "5.99.1", "which has only 5.99.1 for linux_amd64: name one folder with"),
        (packed, "7.0.0", "which has only 7.0.0 for linux_amd64: name one folder with"),
        (for_another_platform, "5.100.0", "which has only 5.100.0 for darwin_arm64: name one"),
        (not_executable, "5.100.0", r"where .*/terraform-provider-aws_v5.100.0_x5 is not exec"),
    ],
    ids=["no-folder", "empty", "too-old", "too-new", "another-platform", "not-executable"],
)
@pytest.mark.parametrize("implied", [False, True], ids=["given", "implied"])
def test_a_mirror_without_a_provider_of_use_is_named_with_what_it_has(
    bare: Path,
    monkeypatch: pytest.MonkeyPatch,
    layout: Callable[[Path, str], None],
    version: str,
    fault: str,
    implied: bool,
) -> None:
    mirror = bare / "home/.terraform.d/plugins" if implied else bare / "given"
    layout(mirror, version)
    if not implied:
        monkeypatch.setenv("TF_PLUGIN_MIRROR", str(mirror))
    elif not version:
        # Terraform asks the registry.
        assert "TF_CLI_CONFIG_FILE" not in provider.terraform_environment(bare / "work")
        return
    with pytest.raises(PipelineError, match=rf"{re.escape(str(mirror))}, {fault}"):
        provider.terraform_environment(bare / "work")


@pytest.mark.parametrize("second", ["mirror", "configuration"])
def test_two_places_for_the_provider_are_refused(
    bare: Path, monkeypatch: pytest.MonkeyPatch, second: str
) -> None:
    unpacked(bare / "a", "5.100.0")
    given, sentence = f"{bare / 'a'}:{bare / 'a'}", "which is no folder: name one folder"
    if second == "configuration":
        given, sentence = (
            str(bare / "a"),
            "terraformrc already configures .*: unset TF_PLUGIN_MIRROR, or",
        )
        (bare / "home/.terraformrc").write_text("provider_installation {\n  direct {}\n}\n")
    monkeypatch.setenv("TF_PLUGIN_MIRROR", given)
    with pytest.raises(PipelineError, match=f"TF_PLUGIN_MIRROR is {given}, .*{sentence}"):
        provider.terraform_environment(bare / "work")


def test_an_implied_mirror_needs_no_configuration(bare: Path) -> None:
    unpacked(bare / "home/.terraform.d/plugins", "5.100.0")
    unpacked(bare / "opt/addon", "5.100.0")
    assert "TF_CLI_CONFIG_FILE" not in provider.terraform_environment(bare / "work")


def test_a_mirror_below_the_addon_folder_is_found(bare: Path) -> None:
    unpacked(bare / "opt/addon", "5.100.0")
    configuration = provider.terraform_environment(bare / "work")["TF_CLI_CONFIG_FILE"]
    assert str(bare / "opt/addon") in Path(configuration).read_text()


@pytest.mark.parametrize(
    ("version", "platform"),
    [
        ("5.99.1", PLATFORM),
        ("6.29.0", PLATFORM),
        ("7.0.0", PLATFORM),
        ("6.0.0-beta1", PLATFORM),
        ("6.1.0", "darwin_x"),
    ],
)
def test_a_provider_outside_our_range_or_platform_does_not_count(
    bare: Path, version: str, platform: str
) -> None:
    packed(bare / "opt/addon", version, platform)
    unpacked(bare / "opt/addon", version, platform)
    assert provider.find_mirror(PLATFORM, "5.100.0") is None


def test_the_users_own_installation_settings_win(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpacked(bare / "opt/addon", "5.100.0")
    own = bare / "own.tfrc"
    own.write_text("provider_installation {\n  direct {}\n}\n")
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(own))
    assert provider.terraform_environment(bare / "work")["TF_CLI_CONFIG_FILE"] == str(own)


def test_a_home_configuration_with_development_overrides_wins(bare: Path) -> None:
    unpacked(bare / "opt/addon", "5.100.0")
    own = bare / "home/.terraformrc"
    own.write_text('provider_installation {\n  dev_overrides {\n    "a/b" = "/c"\n  }\n}\n')
    assert "TF_CLI_CONFIG_FILE" not in provider.terraform_environment(bare / "work")


def test_a_home_configuration_that_only_speaks_of_other_things_does_not_win(bare: Path) -> None:
    unpacked(bare / "opt/addon", "5.100.0")
    own = bare / "home/.terraformrc"
    own.write_text("# provider_installation {}\ndisable_checkpoint = true\n")
    assert "TF_CLI_CONFIG_FILE" in provider.terraform_environment(bare / "work")


def test_no_users_file_is_written(bare: Path) -> None:
    unpacked(bare / "opt/addon", "5.100.0")
    before = sorted(p for p in bare.rglob("*") if "work" not in p.parts)
    provider.terraform_environment(bare / "work")
    assert sorted(p for p in bare.rglob("*") if "work" not in p.parts) == before


def test_the_missing_provider_is_explained_with_where_it_was_looked_for(bare: Path) -> None:
    message = str(provider.no_provider_error("no such host", "5.100.0"))
    assert "no such host" in message
    assert "TF_PLUGIN_MIRROR" in message
    assert str(bare / "home/.terraform.d/plugins") in message
    assert str(bare / "opt") in message


def serving(executable: Path, address: Path) -> None:
    """Make the executable say, as a provider does, that it is reached at `address`."""
    attach = json.dumps({provider.PROVIDER: {"Addr": {"String": str(address)}}})
    (executable.parent / "attach").write_text(f" TF_REATTACH_PROVIDERS='{attach}'\n")
    executable.write_text('#!/bin/sh\necho $$ > pid\ncat "${0%/*}/attach"\nexec sleep 600\n')


def test_the_provider_that_was_run_is_shared_also_beside_a_newer_one(bare: Path) -> None:
    serving(unpacked(bare / "opt/addon", "5.100.0"), bare / "tested")
    serving(unpacked(bare / "opt/addon", "6.41.0"), bare / "newer")
    environment = provider.terraform_environment(bare / "work")
    with shared_provider(environment, bare / "work") as attached:
        assert str(bare / "tested") in attached["TF_REATTACH_PROVIDERS"]


@pytest.mark.parametrize(
    ("available", "asked", "chosen"),
    [
        (["5.100.0", "5.101.0", "6.41.0"], None, "5.100.0"),
        (["5.101.0", "6.41.0", "7.0.0"], None, "6.41.0"),
        (["5.100.0", "6.41.0"], "6.41.0", "6.41.0"),
        ([], None, "5.100.0"),
        ([], "6.61.0", "6.61.0"),
    ],
    ids=["tested", "the-newest-in-range", "asked", "registry", "registry-asked"],
)
def test_roots_of_the_tooling_ask_for_one_provider(
    bare: Path,
    monkeypatch: pytest.MonkeyPatch,
    available: list[str],
    asked: str | None,
    chosen: str,
) -> None:
    for number, version in enumerate(available):
        (packed if number % 2 else unpacked)(bare / "opt/addon", version)
    if asked:
        monkeypatch.setenv("PIPELINE_AWS_PROVIDER", asked)
    assert provider.terraform_environment(bare / "work")["PIPELINE_AWS_PROVIDER"] == chosen


def test_of_two_mirrors_the_one_with_the_provider_that_was_run_is_taken(bare: Path) -> None:
    unpacked(bare / "home/.terraform.d/plugins", "6.41.0")
    unpacked(bare / "opt/addon", "5.100.0")
    environment = provider.terraform_environment(bare / "work")
    assert environment["PIPELINE_AWS_PROVIDER"] == "5.100.0"
    assert str(bare / "opt/addon") in Path(environment["TF_CLI_CONFIG_FILE"]).read_text()


@pytest.mark.parametrize("asked", ["6", "~> 6.0", "7.0.0", "5.99.1", "6.0.0-beta1", "newest"])
def test_what_is_no_release_in_the_range_is_refused(
    bare: Path, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    monkeypatch.setenv("PIPELINE_AWS_PROVIDER", asked)
    with pytest.raises(PipelineError, match=re.escape(f"PIPELINE_AWS_PROVIDER is '{asked}'")):
        provider.terraform_environment(bare / "work")


def test_a_provider_that_the_mirror_lacks_is_named_with_what_it_has(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpacked(bare / "opt/addon", "5.100.0")
    packed(bare / "opt/addon", "6.41.0")
    monkeypatch.setenv("PIPELINE_AWS_PROVIDER", "6.61.0")
    with pytest.raises(PipelineError, match=r"is 6\.61\.0, but .* has 5\.100\.0, 6\.41\.0 of"):
        provider.terraform_environment(bare / "work")


def test_a_shared_provider_that_does_not_start_says_why(bare: Path) -> None:
    executable = unpacked(bare / "opt/addon", "5.100.0")
    executable.write_text("#!/bin/sh\necho unable to add custom RootCAs >&2\nexit 1\n")
    environment = provider.terraform_environment(bare / "work")
    with (
        pytest.raises(PipelineError, match="unable to add custom RootCAs"),
        shared_provider(environment, bare / "work"),
    ):
        pass


def test_a_shared_provider_ends_with_its_block(bare: Path) -> None:
    serving(unpacked(bare / "opt/addon", "5.100.0"), bare / "address")
    environment = provider.terraform_environment(bare / "work")
    with shared_provider(environment, bare / "work"):
        pid = int((bare / "work/pid").read_text())
        assert alive(pid)
    assert not alive(pid)


def initialised(root: Path) -> tuple[Path, dict[str, str]]:
    """A root that was initialised; its provider's executable, and its environment."""
    (root / ".terraform").mkdir(parents=True)
    executable = unpacked(root / ".terraform/providers", "5.100.0")
    lock = f'provider "{provider.PROVIDER}" {{\n  version     = "5.100.0"\n}}\n'
    (root / ".terraform.lock.hcl").write_text(lock)
    return executable, provider.terraform_environment(root.parent / "work")


def test_the_provider_of_a_root_runs_for_the_block(bare: Path) -> None:
    executable, environment = initialised(bare / "root")
    serving(executable, bare / "address")
    with attached(bare / "root", environment) as found:
        assert str(bare / "addresss") in found["TF_REATTACH_PROVIDERS"]
        assert found.items() >= environment.items()
        # It reads what the HCL names from there, as Terraform does.
        pid = int((bare / "root/pid").read_text())
        assert alive(pid)
        (bare / "address").touch()
    assert not alive(pid)
    # A socket that stays can't be copied with its folder.
    assert not list(bare.glob("address*"))


@pytest.mark.parametrize("damaged", ["executable", "lock"])
def test_terraform_starts_a_provider_itself_that_does_not_run_before(
    bare: Path, damaged: str
) -> None:
    executable, environment = initialised(bare / "root")
    if damaged == "executable":
        executable.write_text("#!/bin/sh\nexit 1\n")
    else:
        (bare / "root/.terraform.lock.hcl").unlink()
    with attached(bare / "root", environment) as found:
        assert found == environment


def test_the_range_is_the_one_in_versions_tf() -> None:
    assert f'"{provider.PROVIDER_RANGE}"' in (ROOT / "versions.tf").read_text()
