"""Print what a plan costs a month, item by item, and up to how many uploads it is free."""

import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from pipeline import find, terminal
from pipeline.cost import bill
from pipeline.cost import plan as plans
from pipeline.cost.module_usage import Assumed
from pipeline.cost.plan import Plan
from pipeline.cost.usage import usage_of
from pipeline.emulator.plan_server import plan_server
from pipeline.errors import PipelineError
from pipeline.paths import ROOT, WORK
from pipeline.prices import Prices
from pipeline.terraform import run as terraform
from pipeline.terraform.attached import attached
from pipeline.terraform.provider import terraform_environment

FOLDER = WORK / "cost"
_DEFAULT = "the module with no setting"


def find_plan(file: Path | None, root: Path | None) -> tuple[Plan, str]:
    """The plan or state that the options name, and what to call it; the module's own without any.

    Raises PipelineError.
    """
    if file is not None and root is not None:
        raise PipelineError("A plan and --stack both name what to price: give one of them.")
    if file is not None:
        origin = "The standard input" if str(file) == "-" else f"The file {file}"
        try:
            raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        except OSError as error:
            raise PipelineError(
                f"{origin} can't be read ({error.strerror}): {plans.HOW}."
            ) from error
        return plans.parse(raw, origin), origin[0].lower() + origin[1:]
    # On stderr, so that stdout has the figures alone.
    console = terminal.console(stderr=True)
    if root is not None:
        terminal.note(console, f"reading the state of {root} …")
        printed = find.ask_root(root, "its state", "show", "-json", "-no-color")
        return plans.parse(printed, f"The state of {root}"), f"the state of {root}"
    terminal.note(console, f"planning {_DEFAULT} …")
    return plans.read(_plan_default(), "The module's plan"), _DEFAULT


def run(
    plan: Plan,
    name: str,
    assumed: Assumed,
    table: Prices,
    *,
    limit: float | None,
    as_json: bool,
) -> int:
    """Print the costs of `plan`, called `name`; 1 when a month costs more than `limit` dollars."""
    usage = usage_of(plan, assumed, table)
    costs = bill.costs(usage.uses, assumed.uploads, table)
    ends = bill.free_until(
        lambda uploads: usage_of(plan, replace(assumed, uploads=uploads), table).uses, table
    )
    dollars = bill.total(costs)
    # A bill is in whole cents.
    over = limit is not None and bill.cents(dollars) > Decimal(str(limit))
    notes = list(usage.notes)
    if others := ", ".join(sorted(plan.regions - {table.region})):
        notes.append(
            f"It is in {others}, and the prices are {table.region}'s: write those of your region "
            "into prices.json."
        )
    if as_json:
        document = {
            "what": name,
            "region": table.region,
            "date": table.date,
            "pipelines": list(plan.pipelines),
            "assumed": {name: _number(Decimal(value)) for name, value in vars(assumed).items()},
            "items": list(map(_item, costs)),
            "dollars": _number(dollars),
            "free_until": [
                {
                    "what": end.what,
                    "items": list(end.items),
                    "free": _number(end.free),
                    "uploads_a_month": _number(end.uploads),
                    "uploads_a_second": _number(end.uploads / table.seconds_a_month),
                }
                for end in ends
            ],
            "by_use": usage.by_use,
            "not_priced": usage.unpriced,
            "notes": notes,
            "limit": limit,
        }
        terminal.print_json(document)
        return int(over)
    console = terminal.console()
    terminal.heading(console, f"A month of {name}")
    _print_assumed(console, plan, assumed, table)
    _print_costs(console, costs)
    _print_ends(console, ends, table)
    for title, counted in {
        "Not counted, since it is billed by a usage that no plan shows": usage.by_use,
        "Not priced, since the table has no price for it": usage.unpriced,
    }.items():
        if counted:
            types = ", ".join(f"{number} {kind}" for kind, number in sorted(counted.items()))
            _line(console, f"{title}: {types}.", "yellow")
    for note in notes:
        _line(console, note, "yellow")
    if over:
        _line(console, f"That is more than the limit of {bill.money(Decimal(str(limit)))}.", "red")
    return int(over)


def _print_assumed(console: Console, plan: Plan, assumed: Assumed, table: Prices) -> None:
    number = len(plan.pipelines)
    each = f", for each of its {number} pipelines" if number > 1 else ""
    _line(
        console,
        f"{_text(assumed.uploads / table.seconds_a_month)} uploads a second "
        f"({_text(assumed.uploads)} a month){each}: objects of {_size(assumed.object_bytes)} kept "
        f"{_text(assumed.keep_days)} days, {_text(assumed.milliseconds)} ms an invoke, "
        f"{assumed.alarm_messages} alarm messages.",
    )
    _line(console, f"Prices of {table.region}, {table.date}.")


def _print_costs(console: Console, costs: Sequence[bill.Cost]) -> None:
    rows = []
    for cost in costs:
        free = _text(cost.free) if cost.item.free is not None else "-"
        dollars = "?" if cost.dollars is None else bill.money(cost.dollars)
        rows.append((_name(cost), _text(cost.quantity), free, _text(cost.billed), dollars))
    rows.append(("together", "", "", "", bill.money(bill.total(costs))))
    console.print()
    head = "", "a month", "free", "billed", "dollars"
    terminal.table(console, head, rows, [""] * len(costs) + ["bold"])
    for cost in costs:
        if cost.item.note and cost.billed:
            _line(console, f"{cost.item.service}, {cost.item.unit}: {cost.item.note}.", "dim")


def _print_ends(console: Console, ends: Sequence[bill.End], table: Prices) -> None:
    terminal.heading(console, "Free until")
    for number, end in enumerate(ends):
        rate = _text(end.uploads / table.seconds_a_month)
        first = " (the first to end)" if number == 0 and len(ends) > 1 else ""
        if end.uploads:
            _line(console, f"{rate:>9} uploads a second: {end.what}{first}")
        else:
            _line(console, f"with none at all: {end.what} are used up before the first upload")
    _line(console, "Free amounts are the account's, and shared by all that is in it. S3 has none.")


def _item(cost: bill.Cost) -> dict[str, Any]:
    """An item as JSON; `free` is None where nothing is."""
    return {
        "item": cost.key,
        "what": _name(cost),
        "quantity": _number(cost.quantity),
        "free": None if cost.item.free is None else _number(cost.free),
        "billed": _number(cost.billed),
        "dollars": None if cost.dollars is None else _number(cost.dollars),
        "note": cost.item.note or None,
    }


def _name(cost: bill.Cost) -> str:
    return f"{cost.item.service}: {cost.item.unit}"


def _plan_default() -> dict[str, Any]:
    """The plan of a root that only calls the module, made without any account."""
    environment = terraform_environment(FOLDER)
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder, plan_server() as endpoint:
        source = os.path.relpath(ROOT, Path(folder).resolve())
        root = terraform.write_root(Path(folder), {"module": {"pipeline": {"source": source}}})
        terraform.init(root, environment | endpoint)
        with attached(root, environment | endpoint) as quicker:
            return dict(terraform.plan(root, quicker))


def _text(number: Decimal) -> str:
    """With commas, and as many places as matter: three digits, or whole."""
    if not number:
        return "0"
    places = 0 if number == number.to_integral_value() else max(0, 2 - number.adjusted())
    places = min(places, 3) if number >= Decimal("0.01") else places - 1
    text = f"{number:,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _size(number: Decimal) -> str:
    exponent = min(max(number.adjusted(), 0) // 3, 4)
    return f"{_text(number.scaleb(-3 * exponent))} {('B', 'KB', 'MB', 'GB', 'TB')[exponent]}"


def _number(number: Decimal) -> float | int:
    """For JSON: a whole number, or one of six places."""
    rounded = round(number, 6)
    return int(rounded) if rounded == rounded.to_integral_value() else float(rounded)


def _line(console: Console, text: str, style: str = "") -> None:
    # Names of modules and folders may have any character.
    console.print(Text(f"  {terminal.printable(text)}", style=style), soft_wrap=True)
