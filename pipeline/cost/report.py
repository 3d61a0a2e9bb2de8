"""`pipeline cost`: what a plan costs a month, item by item, and where the free amounts end."""

import contextlib
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from pipeline import find, terminal
from pipeline.cost import bill, uses
from pipeline.cost import plan as plan_json
from pipeline.cost.pipeline import Assumed
from pipeline.cost.plan import Plan
from pipeline.emulator.plan_server import plan_server
from pipeline.errors import PipelineError
from pipeline.paths import ROOT, WORK
from pipeline.prices import Prices
from pipeline.terraform import run as terraform
from pipeline.terraform.provider import terraform_environment

FOLDER = WORK / "cost"
# Uploads a second where nothing is given: the default configuration costs nothing but S3 there.
RATE = Decimal("0.1")
# What is priced where nothing is given.
DEFAULT = "the module with no setting"

_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) *(B|KB|MB|GB|TB|)", re.IGNORECASE)
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def assumed(
    table: Prices,
    *,
    rate: float | None,
    uploads: float | None,
    size: str,
    keep_days: float,
    milliseconds: float,
    batch: float,
    alarm_messages: int,
) -> Assumed:
    """What the options say, `rate` in uploads a second or `uploads` a month.

    Raises PipelineError.
    """
    if rate is not None and uploads is not None:
        raise PipelineError("--rate and --uploads both tell how many uploads: give one of them.")
    match = _SIZE.fullmatch(size.strip())
    if match is None:
        raise PipelineError(f"--size {size!r} is no size: write bytes, or 100KB, 5MB, 1.5GB.")
    month = _decimal(uploads) if uploads is not None else None
    if month is None:
        month = (RATE if rate is None else _decimal(rate)) * table.seconds_a_month
    return Assumed(
        month,
        Decimal(match[1]) * _UNITS[match[2].upper()],
        _decimal(keep_days),
        _decimal(milliseconds),
        _decimal(batch),
        alarm_messages,
    )


def find_plan(file: Path | None, root: Path | None) -> tuple[Plan, str]:
    """The plan or state that the options name, and what it is; the module's own without any.

    Raises PipelineError.
    """
    if file is not None and root is not None:
        raise PipelineError("A plan and --stack both name what to price: give one of them.")
    if file is not None:
        origin = "The standard input" if str(file) == "-" else f"The file {file}"
        return plan_json.parse(_read(file, origin), origin), origin[0].lower() + origin[1:]
    if root is not None:
        with _waiting(f"reading the state of {root}"):
            said = find.ask_root(root, "its state", "show", "-json", "-no-color")
        return plan_json.parse(said, f"The state of {root}"), f"the state of {root}"
    with _waiting(f"planning {DEFAULT}"):
        return plan_json.read(_default(), "The module's plan"), DEFAULT


def run(
    plan: Plan,
    what: str,
    assumption: Assumed,
    table: Prices,
    *,
    limit: float | None = None,
    as_json: bool = False,
) -> int:
    """Tell the costs of `plan`, called `what`; 1 when a month costs more than `limit` dollars."""
    usage = uses.of_plan(plan, assumption, table)
    found = bill.costs(usage.uses, assumption.uploads, table)
    ends = bill.ends(
        lambda uploads: uses.of_plan(plan, replace(assumption, uploads=uploads), table).uses,
        table,
    )
    dollars = bill.total(found)
    # A bill is in whole cents.
    over = limit is not None and bill.cents(dollars) > _decimal(limit)
    notes = [*_region_notes(plan, table), *usage.notes]
    if as_json:
        document = {
            "what": what,
            "region": table.region,
            "date": table.date,
            "pipelines": list(plan.pipelines),
            "assumed": {name: _plain(Decimal(value)) for name, value in vars(assumption).items()},
            "items": [_told(one) for one in found],
            "dollars": _plain(dollars),
            "free_until": [_ends(one, table) for one in ends],
            "by_use": usage.by_use,
            "not_priced": usage.unpriced,
            "notes": notes,
            "limit": limit,
        }
        json.dump(document, sys.stdout, indent=2)
        sys.stdout.write("\n")
        return int(over)
    console = Console(highlight=False, emoji=False)
    _print_items(console, plan, what, assumption, table, found)
    _print_ends(console, ends, table)
    for title, counted in {
        "Not counted, since it costs by a use that no plan tells": usage.by_use,
        "Not priced, since the table has no price for it": usage.unpriced,
    }.items():
        if counted:
            listed = ", ".join(f"{number} {kind}" for kind, number in sorted(counted.items()))
            _line(console, f"{title}: {listed}.", "yellow")
    for note in notes:
        _line(console, note, "yellow")
    if limit is not None and over:
        _line(console, f"That is more than the limit of {bill.money(_decimal(limit))}.", "red")
    return int(over)


def _print_items(
    console: Console,
    plan: Plan,
    what: str,
    assumption: Assumed,
    table: Prices,
    found: list[bill.Cost],
) -> None:
    number = len(plan.pipelines)
    each = f", for each of its {number} pipelines" if number > 1 else ""
    rate = _amount(assumption.uploads / table.seconds_a_month)
    terminal.heading(console, f"A month of {what}")
    _line(
        console,
        f"{rate} uploads a second ({_amount(assumption.uploads)} a month){each}: objects of "
        f"{_size(assumption.object_bytes)} kept {_amount(assumption.keep_days)} days, "
        f"{_amount(assumption.milliseconds)} ms an invoke, "
        f"{assumption.alarm_messages} messages of alarms.",
    )
    _line(console, f"Prices of {table.region}, {table.date}.")
    rows = [("", "a month", "free", "billed", "dollars")]
    for one in found:
        free = _amount(one.free) if one.item.free is not None else "-"
        dollars = "?" if one.dollars is None else bill.money(one.dollars)
        name = f"{one.item.service}: {one.item.unit}"
        rows.append((name, _amount(one.quantity), free, _amount(one.billed), dollars))
    rows.append(("together", "", "", "", bill.money(bill.total(found))))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    console.print()
    for row in rows:
        cells = [f"{row[0]:{widths[0]}}"]
        cells += [f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)]
        style = "bold" if row in (rows[0], rows[-1]) else ""
        console.print(Text("  " + "  ".join(cells), style=style), soft_wrap=True)
    for one in found:
        if one.item.note and one.billed:
            _line(console, f"{one.item.service}, {one.item.unit}: {one.item.note}.", "dim")


def _print_ends(console: Console, ends: list[bill.End], table: Prices) -> None:
    terminal.heading(console, "Free until")
    for number, end in enumerate(ends):
        rate = _amount(end.uploads / table.seconds_a_month)
        first = " (the first to end)" if number == 0 and len(ends) > 1 else ""
        if end.uploads:
            _line(console, f"{rate:>9} uploads a second: {end.what}{first}")
        else:
            _line(console, f"with none at all: {end.what} are used up before the first upload")
    _line(console, "Free amounts are the account's, and shared by all that is in it. S3 has none.")


def _told(one: bill.Cost) -> dict[str, Any]:
    """An item as JSON; `free` is None where nothing is."""
    return {
        "item": one.key,
        "what": f"{one.item.service}: {one.item.unit}",
        "quantity": _plain(one.quantity),
        "free": None if one.item.free is None else _plain(one.free),
        "billed": _plain(one.billed),
        "dollars": None if one.dollars is None else _plain(one.dollars),
        "note": one.item.note or None,
    }


def _ends(end: bill.End, table: Prices) -> dict[str, Any]:
    return {
        "what": end.what,
        "items": list(end.items),
        "free": _plain(end.free),
        "uploads_a_month": _plain(end.uploads),
        "uploads_a_second": _plain(end.uploads / table.seconds_a_month),
    }


def _region_notes(plan: Plan, table: Prices) -> list[str]:
    if others := sorted(plan.regions - {table.region}):
        return [
            f"It is in {', '.join(others)}, and the prices are {table.region}'s: take those of "
            "your region into prices.json."
        ]
    return []


@contextlib.contextmanager
def _waiting(what: str) -> Iterator[None]:
    """Say on stderr what takes some seconds, so that stdout holds the figures alone."""
    console = Console(stderr=True, highlight=False, emoji=False)
    if not console.is_terminal:
        terminal.note(console, f"{what} …")
    with terminal.progress(console, what):
        yield


def _read(file: Path, origin: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise PipelineError(
            f"{origin} can't be read ({error.strerror}): {plan_json.HOW}."
        ) from error


def _default() -> dict[str, Any]:
    """The plan of a root that only calls the module, made without any account."""
    environment = terraform_environment(FOLDER)
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder, plan_server() as endpoint:
        source = os.path.relpath(ROOT, Path(folder).resolve())
        root = terraform.write_root(Path(folder), {"module": {"pipeline": {"source": source}}})
        terraform.init(root, environment | endpoint)
        return dict(terraform.plan(root, environment | endpoint))


def _decimal(number: float) -> Decimal:
    return Decimal(str(number))


def _amount(number: Decimal) -> str:
    """With commas, and as many places as tell something: three digits, or whole."""
    if not number:
        return "0"
    places = 0 if number == number.to_integral_value() else max(0, 2 - number.adjusted())
    places = min(places, 3) if number >= Decimal("0.01") else places - 1
    text = f"{number:,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _size(number: Decimal) -> str:
    unit = max(
        (unit for unit in _UNITS if unit and number >= _UNITS[unit]),
        default="B",
        key=lambda unit: _UNITS[unit],
    )
    return f"{_amount(number / _UNITS[unit])} {unit}"


def _plain(number: Decimal) -> float | int:
    """For programs: a whole number, or one of six places."""
    rounded = round(number, 6)
    return int(rounded) if rounded == rounded.to_integral_value() else float(rounded)


def _line(console: Console, text: str, style: str = "") -> None:
    # Names of modules and folders are anything.
    console.print(Text(f"  {terminal.printable(text)}", style=style), soft_wrap=True)
