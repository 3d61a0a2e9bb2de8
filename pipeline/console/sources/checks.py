"""Is each stage configured as the stack says? The checks of `pipeline verify`, without a probe."""

from dataclasses import dataclass

from pipeline.console.board.memory import Check
from pipeline.console.sources.session import ReadSession
from pipeline.console.sources.source import Source
from pipeline.deployed.documents import epoch_ms
from pipeline.verify import stages

# Alarms and failure queue have sources of their own.
_CHECKS = stages.PATH | {name: stages.ALERTING[name] for name in ("topic", "subscriptions")}


@dataclass
class Checks(Source):
    """The configuration of each stage."""

    panel, thing = "checks", "the pipeline's configuration"
    interval = (60.0, 300.0)

    def poll(self, session: ReadSession) -> None:
        session = session.uncached()
        checks = {name: _check(session, name, run) for name, run in _CHECKS.items()}
        found = {name: check for name, check in checks.items() if check is not None}
        self.board.set_checks(found)
        known = session.configuration
        modified = epoch_ms(known.get("LastModified"))
        self.board.set_function(modified, str(known.get("CodeSha256") or ""))

    def seconds(self) -> float:
        failing = any(check.verdict == "failing" for check in self.board.checks.values())
        # Whoever fixes it waits for this.
        return super().seconds() / (10 if failing else 1)


def _check(session: ReadSession, stage: str, check: stages.Check) -> Check | None:
    try:
        step = stages.examine(session, stage, check)
    except Exception as error:  # noqa: BLE001 - names given by hand can be anything
        return Check("unknown", f"The {stage} can't be checked ({error!r:.200}).")
    # Skipped: the stack has no such stage, or this user lacks a right that few have.
    return None if step.verdict == "skipped" else Check(step.verdict, step.message)
