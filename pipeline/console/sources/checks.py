"""Is each stage configured as the stack says? The checks of `pipeline verify`, without a probe."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.console.board.board import Check
from pipeline.console.sources.session import ReadSession, explain
from pipeline.console.sources.source import Source
from pipeline.deployed.session import FailingError, NotCheckedError
from pipeline.errors import PipelineError
from pipeline.verify import alerting, path, probe
from pipeline.verify.run import refused


@dataclass
class Checks(Source):
    """The configuration of each stage."""

    panel, thing = "checks", "the pipeline's configuration"
    interval = (60.0, 300.0)

    def poll(self, session: ReadSession) -> None:
        session = session.uncached()
        checks = {name: _check(session, name, run) for name, run in _stages(session).items()}
        self.board.checks = {name: check for name, check in checks.items() if check is not None}

    def seconds(self) -> float:
        failing = any(check.verdict == "failing" for check in self.board.checks.values())
        # Whoever fixes it waits for this.
        return super().seconds() / (10 if failing else 1)


def _stages(session: ReadSession) -> Mapping[str, Callable[[], str]]:
    @functools.cache
    def chosen() -> probe.Probe:
        # Asked for by the checks that need it: only these can't be made without a probe.
        return probe.choose(session.target.delivery.get("filters") or [])

    return {
        "notification": lambda: path.notification(session),
        "rule": lambda: path.rule(session, chosen()),
        "permission": lambda: path.permission(session, chosen()),
        "buffer": lambda: path.buffer(session),
        "function": lambda: path.function(session),
        "role": lambda: path.role(session),
        "table": lambda: path.table(session),
        "topic": lambda: alerting.topic(session),
        "subscriptions": lambda: alerting.subscriptions(session),
    }


def _check(session: ReadSession, stage: str, run: Callable[[], str]) -> Check | None:
    try:
        return Check("ok", run())
    except FailingError as error:
        return Check("failing", str(error))
    except NotCheckedError:
        # The stack has no such stage, or this user lacks a right that few have.
        return None
    except (ClientError, BotoCoreError) as error:
        try:
            verdict, detail = refused(session, stage, error)
            return Check("unknown" if verdict == "unknown" else "failing", detail)
        except PipelineError:
            # A half applied stack lacks the names that `refused` needs.
            return Check("unknown", explain(error, f"the {stage}"))
    except PipelineError as error:
        return Check("unknown", str(error))
    except Exception as error:  # noqa: BLE001 - names given by hand can be anything
        return Check("unknown", f"The {stage} can't be checked ({error!r:.200}).")
