"""AWS's always-free amounts and prices, from prices.json, which Terraform reads too."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.paths import ROOT

FILE = ROOT / "prices.json"


@dataclass(frozen=True)
class Item:
    """What AWS bills: `price` dollars for every `per` of its `unit`.

    `free` is every account's free amount a month, None without one; items of one `pool` share it.
    Where `price` is None the `note` says it; an `hourly` price is for each unit and hour. `source`
    is AWS's page, `offer` the service in AWS's price list where the price was found there, and
    `date` the day of the list or page that it was last compared with.
    """

    service: str
    unit: str
    free: Decimal | None
    price: Decimal | None
    per: Decimal
    source: str
    date: str
    offer: str = ""
    hourly: bool = False
    pool: str = ""
    note: str = ""


@dataclass(frozen=True)
class Prices:
    """All prices; a month has `hours_a_month` for prices and `seconds_a_month` for rates."""

    region: str
    date: str
    currency: str
    hours_a_month: Decimal
    seconds_a_month: Decimal
    items: Mapping[str, Item]


def load(file: Path = FILE) -> Prices:
    """Read prices.json. Raises PipelineError."""
    try:
        read = json.loads(file.read_text(encoding="utf-8"), parse_float=Decimal, parse_int=Decimal)
        items = {key: Item(**item) for key, item in read.pop("items").items()}
        return Prices(**read, items=items)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise PipelineError(
            f"{file} is no table of prices ({error}): take it from the module."
        ) from error


def money(dollars: Decimal) -> str:
    """`$5`, `$0.10` or `$0.00065`."""
    whole = dollars == dollars.to_integral_value()
    places = max(0 if whole else 2, -int(dollars.normalize().as_tuple().exponent))
    return f"${dollars:,.{places}f}"


def table(prices: Prices) -> str:
    """The prices as a Markdown table."""
    columns = "| Service | What | Always free each month | Beyond | Price of |"
    rows = [columns, "|---|---|---|---|---|"]
    for item in prices.items.values():
        in_all = " in all" if item.pool else ""
        free = "nothing" if item.free is None else f"{item.free:,}{in_all}"
        service = f"[{item.service}]({item.source})"
        rows.append(f"| {service} | {item.unit} | {free} | {_beyond(item)} | {item.date} |")
    return "\n".join(rows)


def _beyond(item: Item) -> str:
    if item.price is None:
        return item.note
    each = "each" if item.per == 1 else f"per {item.per:,}"
    price = f"{money(item.price)} {each}{' and hour' if item.hourly else ''}"
    return f"{price}; {item.note}" if item.note else price
