"""What a month's usage costs by the table of prices, and at which rate its free amounts end.

Nothing here knows Terraform: `pipeline.cost.usage` finds out what a plan uses.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from pipeline.prices import Item, Prices

_CENT = Decimal("0.01")
# Enough to come within one upload of an end.
_ROUNDS = 100


@dataclass(frozen=True)
class Use:
    """A month's usage of `item`, a key of the table of prices, in its unit.

    `fixed` without any upload, and `per_upload` more for each, up to `at_most` where the time of a
    month bounds it.
    """

    item: str
    fixed: Decimal = Decimal(0)
    per_upload: Decimal = Decimal(0)
    at_most: Decimal | None = None

    def quantity(self, uploads: Decimal) -> Decimal:
        """How much a month with so many uploads uses."""
        variable = self.per_upload * uploads
        return self.fixed + (variable if self.at_most is None else min(variable, self.at_most))


@dataclass(frozen=True)
class Cost:
    """The cost of a month's `quantity` of one item, of which `free` costs nothing.

    `dollars` is None where the table has no price, which `item.note` then explains.
    """

    key: str
    item: Item
    quantity: Decimal
    free: Decimal
    dollars: Decimal | None

    @property
    def billed(self) -> Decimal:
        """The quantity beyond the free amount."""
        return self.quantity - self.free


@dataclass(frozen=True)
class End:
    """How many `uploads` a month use up the `free` amount that `items` share."""

    what: str
    items: tuple[str, ...]
    free: Decimal
    uploads: Decimal


def costs(uses: Sequence[Use], uploads: Decimal, prices: Prices) -> list[Cost]:
    """What a month with so many uploads costs, in the table's order, without what is not used.

    Items of one pool use up its free amount in that order too.
    """
    left: dict[str, Decimal] = {}
    found = []
    for key, item in prices.items.items():
        quantity = sum((use.quantity(uploads) for use in uses if use.item == key), Decimal(0))
        if not quantity:
            continue
        pool = item.pool or key
        free = min(quantity, left.setdefault(pool, item.free or Decimal(0)))
        left[pool] -= free
        dollars = None
        if item.price is not None:
            hours = prices.hours_a_month if item.hourly else 1
            dollars = (quantity - free) * item.price * hours / item.per
        found.append(Cost(key, item, quantity, free, dollars))
    return found


def total(found: Iterable[Cost]) -> Decimal:
    """Dollars a month, without what has no price."""
    return sum((cost.dollars for cost in found if cost.dollars is not None), Decimal(0))


def free_until(uses_at: Callable[[Decimal], Sequence[Use]], prices: Prices) -> list[End]:
    """Where each free amount ends that uploads use up, the first to end first.

    `uses_at` gives the usage with so many uploads a month, since larger batches need fewer invokes.
    """
    found = []
    for name, keys in _pools(prices.items).items():
        free = prices.items[keys[0]].free
        if free is None:
            continue
        # From below: without any batch the free amount ends at the lowest rate.
        before, uploads = None, _reached(_among(keys, uses_at(Decimal(0))), free)
        for _ in range(_ROUNDS):
            if uploads is None or (before is not None and uploads - before < 1):
                break
            before, uploads = uploads, _reached(_among(keys, uses_at(uploads)), free)
        if uploads is not None:
            used = tuple(key for key in keys if _among([key], uses_at(uploads)))
            found.append(End(name, used, free, uploads))
    return sorted(found, key=lambda end: end.uploads)


def cents(dollars: Decimal) -> Decimal:
    """In whole cents, as a bill is."""
    return dollars.quantize(_CENT, ROUND_HALF_UP)


def money(dollars: Decimal) -> str:
    """As on a bill: `$0.84`, `$1,234.50`, and `<$0.01` for what is less but not nothing."""
    rounded = cents(dollars)
    return "<$0.01" if dollars and not rounded else f"${rounded:,}"


def _pools(items: Mapping[str, Item]) -> dict[str, list[str]]:
    """The items that share a free amount, by its name."""
    found: dict[str, list[str]] = {}
    for key, item in items.items():
        found.setdefault(item.pool or f"{item.service} {item.unit}", []).append(key)
    return found


def _among(keys: Sequence[str], uses: Sequence[Use]) -> list[Use]:
    return [use for use in uses if use.item in keys]


def _reached(uses: Sequence[Use], amount: Decimal) -> Decimal | None:
    """With how many uploads a month the uses reach `amount`; None if uploads alone never do."""
    left = max(Decimal(0), amount - sum((use.fixed for use in uses), Decimal(0)))
    slope = sum((use.per_upload for use in uses), Decimal(0))
    bounded = sorted(
        (use.at_most / use.per_upload, use.per_upload)
        for use in uses
        if use.per_upload and use.at_most is not None
    )
    at = Decimal(0)
    for bound, each in bounded:
        gain = slope * (bound - at)
        if gain >= left:
            break
        left, at, slope = left - gain, bound, slope - each
    return at + left / slope if slope else None
