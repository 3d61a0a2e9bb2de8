"""What a month's use costs by the table of prices, and at which rate its free amounts end.

Nothing here knows Terraform: `pipeline.cost.uses` tells what a plan uses.
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
    """A month's use of `item`, a key of the table of prices, in its unit.

    `fixed` with no upload at all, and `each` for each upload, of which at most `most` where it is
    time that bounds it.
    """

    item: str
    fixed: Decimal = Decimal(0)
    each: Decimal = Decimal(0)
    most: Decimal | None = None

    def quantity(self, uploads: Decimal) -> Decimal:
        """How much a month with so many uploads takes."""
        moving = self.each * uploads
        return self.fixed + (moving if self.most is None else min(moving, self.most))


@dataclass(frozen=True)
class Cost:
    """What a month's `quantity` of one item costs: `free` of it nothing, `billed` `dollars`.

    `dollars` is None where the table has no price, which `item.note` then explains.
    """

    key: str
    item: Item
    quantity: Decimal
    free: Decimal
    dollars: Decimal | None

    @property
    def billed(self) -> Decimal:
        """What is beyond the free amount."""
        return self.quantity - self.free


@dataclass(frozen=True)
class End:
    """Where the free amount of `items`, which share it, ends: so many uploads a month."""

    what: str
    items: tuple[str, ...]
    free: Decimal
    uploads: Decimal


def costs(uses: Sequence[Use], uploads: Decimal, prices: Prices) -> list[Cost]:
    """What a month with so many uploads costs, in the table's order, without what is not used.

    Items of one pool draw on it in that order too.
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


def ends(uses_at: Callable[[Decimal], Sequence[Use]], prices: Prices) -> list[End]:
    """Where each free amount ends that uploads draw on, the first one first.

    `uses_at` tells what is used with so many uploads a month: the more, the fewer invokes for each,
    where they come in batches.
    """
    found = []
    for name, keys in _pools(prices.items).items():
        free = prices.items[keys[0]].free
        if free is None:
            continue
        # From below: uploads that come together nowhere give the nearest end.
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
    """As a bill has it: `$0.84`, `$1,234.50`, and `<$0.01` for what is less but not nothing."""
    rounded = cents(dollars)
    return "<$0.01" if dollars and not rounded else f"${rounded:,}"


def _pools(items: Mapping[str, Item]) -> dict[str, list[str]]:
    """The items that share a free amount, by the name of that."""
    found: dict[str, list[str]] = {}
    for key, item in items.items():
        found.setdefault(item.pool or f"{item.service} {item.unit}", []).append(key)
    return found


def _among(keys: Sequence[str], uses: Sequence[Use]) -> list[Use]:
    return [use for use in uses if use.item in keys]


def _reached(uses: Sequence[Use], amount: Decimal) -> Decimal | None:
    """With how many uploads a month the uses make `amount`; None if uploads alone never do."""
    left = max(Decimal(0), amount - sum((use.fixed for use in uses), Decimal(0)))
    moving = [use for use in uses if use.each]
    slope = sum((use.each for use in moving), Decimal(0))
    bounded = sorted((use.most / use.each, use.each) for use in moving if use.most is not None)
    at = Decimal(0)
    for bound, each in bounded:
        gain = slope * (bound - at)
        if gain >= left:
            break
        left, at, slope = left - gain, bound, slope - each
    return at + left / slope if slope else None
