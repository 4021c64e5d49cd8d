"""Sales orders as the books keep them: what is still to leave of each line, what is billed, and the status of it all.

Statuses move as NetSuite's do (docs.oracle.com, ns-online-help, section_159795516182 and the list of transaction
statuses): A pending approval, B pending fulfilment, E partially fulfilled with something to bill, D partially fulfilled
and billed so far, F pending billing, G billed, H closed, C cancelled.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from trueup.sandbox.vendors.booked_amounts import ZERO, LineAmount, part_of
from trueup.sandbox.world.entries import LineQuantity


@dataclass(slots=True)
class OrderLine:
    """One line. `location_id` None: nobody has said from where. `is_closed`: closed by hand, its quantity stays."""

    uniquekey: int
    number: int
    item: int
    sku: str | None
    location_id: str | None
    ordered: int
    money: LineAmount = field(default_factory=LineAmount)
    memo: str = ""
    shipped: int = 0
    cancelled: int = 0
    billed: int = 0
    authorized: int = 0
    credited: int = 0
    is_closed: bool = False

    @property
    def open(self) -> int:
        """Units that are still to leave."""
        return 0 if self.is_closed else max(0, self.ordered - self.shipped - self.cancelled)

    @property
    def is_shut(self) -> bool:
        """Closed by hand, or given up whole."""
        return self.is_closed or (self.cancelled > 0 and self.shipped == 0 and self.open == 0)

    @property
    def quantity(self) -> int:
        """Units on the document: part of a line that is given up is taken off it, a whole line is closed."""
        return self.ordered if self.is_shut else self.ordered - self.cancelled

    def amount_of(self, units: int, digits: int) -> Decimal:
        """What so many of its units are worth without tax."""
        return part_of(self.money.amount, units, self.ordered, digits)

    def tax_of(self, units: int, digits: int) -> Decimal:
        """The tax on so many of its units."""
        return part_of(self.money.tax, units, self.ordered, digits)


@dataclass(slots=True)
class SalesOrder:
    """One order. `key`: its channel and the channel's name for it. `is_ours`: somebody entered it over the API."""

    transaction_id: int
    key: tuple[str | None, str | None]
    entity: int | None
    currency: int
    digits: int
    lines: dict[str, OrderLine] = field(default_factory=dict)
    tax_key: int | None = None
    is_approved: bool = True
    is_ours: bool = False

    @property
    def products(self) -> list[OrderLine]:
        """The lines that leave a shelf."""
        return [line for line in self.lines.values() if line.sku is not None]

    @property
    def is_shipped(self) -> bool:
        """Whether anything has left."""
        return any(line.shipped for line in self.products)

    @property
    def status(self) -> str:
        """NetSuite's letter."""
        if all(line.is_shut for line in self.lines.values()) and not self.is_shipped:
            return "H" if self.is_ours else "C"
        if not self.is_approved:
            return "A"
        waiting = [line for line in self.products if line.shipped > line.billed]
        if any(line.open for line in self.products):
            return "B" if not self.is_shipped else ("E" if waiting else "D")
        services = [line for line in self.lines.values() if line.sku is None and not line.is_shut]
        if waiting or any(line.billed < line.ordered for line in services):
            return "F" if self.is_shipped or not self.products else ("H" if self.is_ours else "C")
        if any(line.is_closed for line in self.products):
            return "H"
        return "G" if any(line.billed for line in self.lines.values()) else "C"

    @property
    def tax(self) -> Decimal:
        """The tax on all that is on the document."""
        return sum((line.tax_of(line.quantity, self.digits) for line in self.lines.values()), ZERO)

    @property
    def total(self) -> Decimal:
        """What the customer owes for all that is on the document."""
        return self.tax + sum((line.amount_of(line.quantity, self.digits) for line in self.lines.values()), ZERO)

    def parts(
        self, parts: Iterable[LineQuantity], location_id: str | None = None, *, are_back: bool = False
    ) -> Iterator[tuple[OrderLine, int]]:
        """The order's own lines that the parts are of, with their units.

        Where a line goes by another name here, by its product: lines of the location first, those with most open first.
        `are_back`: they had left and came back.
        """

        def room(line: OrderLine) -> int:
            return line.shipped if are_back else line.open

        for part in parts:
            line = self.lines.get(part.line_id)
            if line is not None:
                yield line, part.quantity
                continue
            left = part.quantity
            found = sorted(
                (each for each in self.products if each.sku == part.sku and room(each)),
                key=lambda each: (each.location_id != location_id, -room(each)),
            )
            for each in found:
                units = min(left, room(each))
                if units:
                    left -= units
                    yield each, units
