"""Try one check, and say what became of it."""

import time
from collections.abc import Mapping
from typing import Literal

from botocore.exceptions import BotoCoreError, ClientError

from pipeline import prices
from pipeline.accept import estimate
from pipeline.accept.checks import CHECKS
from pipeline.accept.deliveries import DELIVERIES
from pipeline.accept.journal import Result, Verdict
from pipeline.accept.sandbox import LostError, Sandbox, explained
from pipeline.accept.trial import Check, Trial
from pipeline.deployed.session import FailingError, NotCheckedError, Session
from pipeline.errors import PipelineError

_UNTRIED: Literal["could not be tried"] = "could not be tried"


def attempt(check: Check, box: Sandbox, sessions: Mapping[str, Session]) -> Result:
    """Run a check. Raises StoppedError, and LostError where the session is over."""
    box.check()
    began = time.monotonic()
    verdict, message, still_open = _tried(check, box, sessions)
    if box.emulator and check.emulator:
        # Run all the same, so that the first run in AWS is not the first run.
        seen = message[:1].lower() + message[1:]
        verdict, message, still_open = _UNTRIED, f"{check.emulator} (here: {seen})", False
    seconds = time.monotonic() - began
    table = prices.load()
    rate = estimate.hourly((DELIVERIES.get(place) for place in check.places), table)
    dollars = float(rate) * seconds / 3600
    dollars += float(estimate.uploads(box.uploaded[check.id], table)) + check.dollars
    return Result(verdict, message, round(seconds, 1), round(dollars, 6), time.time(), still_open)


def _tried(
    check: Check, box: Sandbox, sessions: Mapping[str, Session]
) -> tuple[Verdict, str, bool]:
    for need in check.needs:
        found = box.journal.results.get(need)
        skipped = box.emulator and bool(CHECKS[need].emulator)
        if found is not None and found.verdict != "proved" and not skipped:
            return _UNTRIED, f"{need} was not proved, on which it builds", found.open
    try:
        return "proved", check.run(Trial(check, box, sessions)), False
    except FailingError as error:
        return "disproved", str(error), False
    except NotCheckedError as error:
        return _UNTRIED, str(error), False
    except (PipelineError, ClientError, BotoCoreError) as error:
        sentence = explained(error)
        if isinstance(sentence, LostError):
            raise sentence from error
        return _UNTRIED, str(sentence), True
