"""`pipeline tail`: its options."""

from pipeline.options import Named, about_a_pipeline
from pipeline.program import JsonLines


@about_a_pipeline
def tail(named: Named, *, as_json: JsonLines = False) -> None:
    """Show what happens from now on: uploads, their records, errors, failed events, alarms.

    An upload shows with its record, an event that failed as an error for each attempt, and as a
    failure once it is in the failure queue. Nothing is changed; a message of the failure queue is
    received, which SQS counts. Ctrl-C ends it with 130; exit 2 where something can't be read.
    """
    from pipeline.tail import run

    run.run(named.find(), as_json=as_json)
