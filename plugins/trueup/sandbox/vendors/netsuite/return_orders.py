"""Return authorisations as the books keep them: what may come back, what came, and what was credited of it."""

from dataclasses import dataclass, field

from trueup.sandbox.vendors.netsuite.sales_orders import OrderLine, SalesOrder


@dataclass(slots=True)
class ReturnLine:
    """Units of an order's line that may come back, came back, and were credited."""

    line: OrderLine
    number: int
    units: int
    received: int = 0
    credited: int = 0


@dataclass(slots=True)
class Return:
    """One return authorisation."""

    transaction_id: int
    order: SalesOrder
    lines: list[ReturnLine] = field(default_factory=list)

    @property
    def status(self) -> str:
        """NetSuite's letter: B pending receipt, D and E partially received, F pending refund, G refunded."""
        received = sum(line.received for line in self.lines)
        if not received:
            return "B"
        is_credited = all(line.credited >= line.received for line in self.lines)
        if any(line.received < line.units for line in self.lines):
            return "D" if is_credited else "E"
        return "G" if is_credited else "F"
