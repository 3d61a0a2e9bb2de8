"""What an S3 Batch Operations job costs."""

from dataclasses import dataclass
from decimal import Decimal

from pipeline import prices


@dataclass(frozen=True)
class Costs:
    """What jobs cost, without free amounts and the invokes' time.

    `write_units` are the table's, 0 on demand.
    """

    write_units: int

    @property
    def each(self) -> Decimal:
        """Dollars for an object."""
        names = ["s3_batch_objects", "s3_gets", "lambda_requests"]
        return sum(map(_price, names + ["dynamodb_writes"] * (not self.write_units)), Decimal())

    def dollars(self, objects: int) -> Decimal:
        """Dollars for a job."""
        return _price("s3_batch_jobs") + objects * self.each

    def pace(self, objects: int) -> str:
        """What to know of a table that is slower than a job."""
        hours = objects / self.write_units / 3600 if self.write_units else 0.0
        if hours < 1:
            return ""
        return (
            f" {self.write_units} write units take {hours:,.1f} hours for that: raise "
            "table.write_units meanwhile, or tasks fail."
        )


def _price(name: str) -> Decimal:
    item = prices.load().items[name]
    return (item.price or Decimal()) / item.per
