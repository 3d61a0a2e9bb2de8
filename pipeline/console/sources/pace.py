"""How often each panel asks."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """How often to ask, in seconds; `quick` is while an upload is on its way.

    The figures in docs/operate/console.md follow from these.
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


# An emulator's answers cost some of this machine, together less than a fiftieth of a core: the log,
# which tells of every event, wakes whoever shows what became of it. AWS's always-free requests last
# for a month of these, day and night.
LAB = Pace(2.0, 0.45, 5.0, 5.0, 10.0, 60.0, 60.0, 60.0, 0.08)
AWS = Pace(1.2, 2.0, 10.0, 15.0, 60.0, 300.0, 60.0, 300.0, 0.5)
