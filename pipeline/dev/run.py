"""Swap code in the lab as it is saved, apply HCL as it is saved, and show what comes of it."""

import contextlib
import re
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.text import Text

from pipeline import terminal, times
from pipeline.deployed import aws
from pipeline.deployed.session import connect
from pipeline.deployed.target import Target
from pipeline.dev.code import Code, FaultyError
from pipeline.dev.watch import Watcher
from pipeline.emulator.process import client_environment, point_this_process_at
from pipeline.errors import PipelineError
from pipeline.lab import code as lab_code
from pipeline.lab import folder as lab
from pipeline.lab import lifecycle, root
from pipeline.paths import FUNCTION, ROOT
from pipeline.tail import run as tail

_HCL = (".tf", ".tf.json", ".tfvars")
# The last lines of a traceback say where something was raised, and what.
_LINES = 5
# Where the emulator unpacks a package: what is left are names as in it.
_UNPACKED = re.compile(r'(?<=")[^"]*/ministack-lambda-[^/"]+/code/')
_COLOURS = {"saved": "bold cyan", "sent": "cyan", "refused": "bold red"}


def run(folder: Path, code: Code, send: Sequence[Path]) -> None:
    """Do so until Ctrl-C; then the function has the code again that Terraform applied.

    Raises PipelineError where the lab can't be used.
    """
    console = terminal.console()
    with lab.exclusive(folder):
        lifecycle.ensure(folder, console)
        dev = _Dev(folder, code, send, console)
        try:
            with terminal.last_line(lambda: f"{dev.saves} saved; {dev.stream.summary}."):
                dev.follow()
        finally:
            with _undisturbed():
                dev.put_back()


class _RenamedError(Exception):
    """What was applied has other names."""


class _Dev:
    """One run of it; `saves` counts what was saved and runs."""

    def __init__(self, folder: Path, code: Code, send: Sequence[Path], console: Console) -> None:
        self._folder, self._code, self._send, self._console = folder, code, send, console
        self._changed = set[Path]()
        self._runs: tuple[bytes, str | None, dict[str, str]] | None = None
        self.saves = 0
        self._connect()
        own = [FUNCTION] if code.folder is None else []
        modules = sorted(each for each in (ROOT / "modules").iterdir() if each.is_dir())
        flat = [ROOT, *modules, folder / "root", *own]
        deep = [each for each in code.watched if each != FUNCTION]
        if code.hook is not None and not code.is_layer:
            flat, deep = [*flat, *deep], []
        self._watcher = Watcher(flat, deep, lambda text: self._say("refused", text))

    def _connect(self) -> None:
        kept = lab.read_kept(self._folder)
        assert kept is not None  # noqa: S101 - `ensure` made it
        point_this_process_at(client_environment(kept.endpoint))
        outputs = root.needed(self._folder)[0]
        self._session = connect(Target(outputs, f"The lab in {self._folder}"))
        self._name = self._session.target.function_name
        self._applied = self._function()
        package = self._applied["filename"]
        ours = FUNCTION / "dist" / "lambda.zip"
        if self._code.folder is None and (
            not package or (self._folder / "root" / package).resolve() != ours.resolve()
        ):
            raise PipelineError(
                f"The function in {self._folder} has a package of its own, {package}: give "
                "--handler the folder of its sources."
            )
        # Nobody knows what a team's handler stores.
        self.stream = tail.Stream(self._session, every=self._code.folder is not None)

    def _function(self) -> dict[str, Any]:
        """What Terraform applied of the function."""
        try:
            return root.functions(self._folder)[self._name]
        except KeyError as error:
            raise PipelineError(
                f"{self._folder / 'root'} has not made the function {self._name}: take main.tf as "
                "`pipeline lab up` wrote it, and apply."
            ) from error

    def follow(self) -> None:
        """Take the code as it is now, then what is saved, and show what happens."""
        terminal.aside(
            f"{self._session.target.origin}: {self.stream.before}. Watching {self._code.name} and "
            "the HCL; Ctrl-C ends it."
        )
        while True:
            self._take({Path(self._code.name)}, time.monotonic())
            try:
                for news in self.stream.news(self._wait):
                    tail.show(self._console, news)
                    for line in news.lines[-_LINES:]:
                        shown = terminal.printable(_UNPACKED.sub("", line))
                        terminal.note(self._console, f"    {shown}")
            except _RenamedError:
                self._connect()

    def put_back(self) -> None:
        """Give the function the code and settings again that Terraform applied."""
        try:
            self._configure(str(self._applied["handler"]), {})
            lab_code.put_back(self._folder, self._session.client("lambda").meta.endpoint_url)
        except (PipelineError, ClientError, BotoCoreError):
            up = lab.command("lab up", self._folder)
            terminal.aside(f"The lab has the code that was saved: `{up}` puts back the package's.")
            return
        terminal.aside("The function has the code again that Terraform applied.")

    def _wait(self, seconds: float) -> None:
        saved = self._watcher.saved(seconds, terminal.wait)
        if not saved:
            return
        began = time.monotonic()
        if any(map(self._is_hcl, saved)):
            self._apply()
        own = {file for file in saved if file in self._code.watched or self._code.has(file)}
        if own:
            self._take(own, began)

    def _is_hcl(self, file: Path) -> bool:
        place = file.parent
        of_module = place == ROOT or place.parent == ROOT / "modules"
        named = file.name.endswith(_HCL) or (place == ROOT and file.name == "prices.json")
        # Terraform's initialisation writes the override.
        own = file.name != "provider_override.tf.json"
        return named and own and (of_module or place == self._folder / "root")

    def _take(self, saved: set[Path], began: float) -> None:
        """Run what was saved, and send the files. What can't run is named, and the old stays."""
        self._changed |= saved
        names = ", ".join(sorted(file.name for file in saved))
        try:
            package = self._code.package(self._changed)
            self._runs = package, self._code.handler(), self._code.variables()
        except FaultyError as error:
            self._say("refused", f"{error} The old code stays.")
            return
        self._give()
        self._changed.clear()
        self.saves += 1
        took = time.monotonic() - began
        self._say("saved", f"{names}: {len(package):,} B run, after {took:.2f} s")
        self._upload()

    def _give(self) -> None:
        """Give the function the code that was saved last, and could run."""
        if self._runs is not None:
            package, handler, variables = self._runs
            self._configure(handler or str(self._applied["handler"]), variables)
            lab_code.give(self._session.client("lambda"), self._name, package)

    def _configure(self, handler: str, variables: dict[str, str]) -> None:
        """Give the function this handler, and what Terraform applied of variables with these."""
        client = self._session.client("lambda")
        blocks = self._applied["environment"] or [{"variables": {}}]
        wanted = {**blocks[0]["variables"], **variables}
        with aws.asking(f"the function {self._name}", "run `pipeline lab up`"):
            found = client.get_function_configuration(FunctionName=self._name)
            has = found.get("Environment", {}).get("Variables", {})
            if (found["Handler"], has) == (handler, wanted):
                return
            client.update_function_configuration(
                FunctionName=self._name, Handler=handler, Environment={"Variables": wanted}
            )
        lab_code.settle(client, self._name)

    def _upload(self) -> None:
        for file in self._send:
            try:
                body = file.read_bytes()
            except OSError as error:
                self._say("refused", f"{file} can't be sent ({error.strerror}).")
                continue
            bucket = self._session.target.bucket_name
            with aws.asking(f"the bucket {bucket}", "run `pipeline lab up`"):
                self._session.client("s3").put_object(Bucket=bucket, Key=file.name, Body=body)
            self._say("sent", file.name)

    def _apply(self) -> None:
        """Apply what was saved of HCL; what Terraform refuses is shown, and the lab runs on."""
        kept = lab.read_kept(self._folder)
        assert kept is not None  # noqa: S101 - it runs
        names = self._session.target.outputs
        try:
            lifecycle.apply_again(self._folder, kept, self._console, {}, "The HCL was saved")
        except PipelineError as error:
            self._say("refused", "Terraform did not apply it:")
            for line in filter(None, str(error).splitlines()):
                terminal.note(self._console, f"    {terminal.printable(line)}")
        if root.needed(self._folder)[0] != names:
            raise _RenamedError
        # The apply put back what it had applied.
        self._applied = self._function()
        self._give()

    def _say(self, kind: str, text: str) -> None:
        head = Text(times.local_ms(time.time() * 1000))
        head.append(f"  {kind:7}", style=_COLOURS[kind])
        terminal.entry(self._console, head, text)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Let no second Ctrl-C cut it short."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
