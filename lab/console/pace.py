"""How often each panel asks."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """How often to ask, in seconds; `quick` is while an upload is on its way.

    The figures in docs/console.md follow from these.
    """

    records: float
    log: float
    queues: float
    alarms: float
    mails: float
    points: float
    metrics: float
    checks: float
    quick: float


# An emulator's answers cost some of this machine: together less than a fiftieth of a core. AWS's
# always-free requests last for a month of these, day and night.
LAB = Pace(0.45, 0.5, 3.0, 3.0, 10.0, 30.0, 30.0, 30.0, 0.08)
AWS = Pace(1.2, 2.0, 10.0, 15.0, 60.0, 300.0, 60.0, 300.0, 0.5)
