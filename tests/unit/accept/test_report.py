"""What a run says at its end, and what it costs."""

import io
import re
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from pipeline import prices
from pipeline.accept import estimate, report
from pipeline.accept.deliveries import DELIVERIES
from pipeline.accept.journal import Journal, Result
from pipeline.errors import PipelineError

PROVED = Result("proved", "seen", 1.0, 0.01)
DISPROVED = Result("disproved", "a | b <c>\nd", 1.0, 0.01)
NATURE = Result("could not be tried", "look at it", 0.0, 0.0)
REFUSED = Result("could not be tried", "no right", 0.0, 0.0, open=True)


def journal(**results: Result) -> Journal:
    found = {name.replace("_", "-"): result for name, result in results.items()}
    names = ("accept-abc123-", "123456789012", "us-east-1", "")
    return Journal(Path(), *names, [], 5.0, 1.25, 0.0, results=found)


@pytest.mark.parametrize(
    ("results", "status"),
    [
        ([PROVED], 0),
        ([PROVED, NATURE], 0),
        ([PROVED, REFUSED], 2),
        ([REFUSED, DISPROVED], 1),
    ],
)
def test_the_exit_status_tells_disproved_from_not_tried(results: list[Result], status: int) -> None:
    assert report.status(results) == status


@pytest.mark.parametrize("width", [20, 40])
def test_a_narrow_terminal_gets_a_block_for_each_check(width: int) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, no_color=True)
    report.show(console, journal(replay=PROVED, deliver_ndns=DISPROVED))
    lines = Text.from_ansi(out.getvalue()).plain.splitlines()
    assert max(map(len, lines)) <= width
    assert "deliver-ndns" in "".join(lines).replace(" ", "")


def test_the_table_is_in_the_order_of_the_checks_in_each_form() -> None:
    run = journal(replay=PROVED, x_ray=NATURE, deliver_ndns=DISPROVED)
    shown = report.document(run, 60.0, 0.5)
    assert [each["id"] for each in shown["checks"]] == ["deliver-ndns", "replay", "x-ray"]
    assert [each["line"] for each in shown["checks"]] == [False, False, True]
    lines = report.markdown(run, 60.0, 0.5).splitlines()
    assert lines[0] == (
        "Account 123456789012, region us-east-1: 1 proved, 1 disproved, 1 could not be tried "
        "in 60 s for $0.50, estimated $1.25."
    )
    assert lines[4] == r"| deliver-ndns | disproved | 1.0 | 0.0100 | a \| b &lt;c>\nd |"
    assert len(lines) == 7


def test_a_file_that_cant_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="name another file with --markdown"):
        report.write(tmp_path / "absent" / "file.md", "")


def test_keys_buffers_and_begun_hours_cost() -> None:
    table = prices.load()
    direct, key, buffered = (
        estimate.hourly([DELIVERIES[name]], table) for name in ("ndns", "ndnk", "nbns")
    )
    assert direct < buffered < key
    month = direct * table.hours_a_month
    # 5 write and read units, 11 alarms, a dashboard: each at its price by the month.
    assert Decimal("6.9") < month < Decimal(7)
    assert estimate.dollars(direct, 1, 0, table) == direct
    assert estimate.dollars(direct, 3601, 0, table) == 2 * direct
    assert estimate.dollars(direct, 1, 1000, table) > direct + Decimal("0.015")


def test_a_result_that_could_not_be_written_is_refused_before_the_run(tmp_path: Path) -> None:
    report.refuse_unwritable(None)
    report.refuse_unwritable(tmp_path / "result.md")
    for file, reason in (
        (tmp_path / "absent" / "result.md", "can't be written"),
        (tmp_path, "is a folder"),
    ):
        with pytest.raises(PipelineError, match=f"{re.escape(str(file))} {reason}"):
            report.refuse_unwritable(file)
    assert not list(tmp_path.iterdir())
