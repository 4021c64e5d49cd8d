"""Replayed cancellations: each unit goes back to where it came from, once.

A unit that is not sent yet is cancelled; one that is comes back to the location that sent it; one whose
purchase lies before the replayed days is put back as an adjustment.
"""

from trueup.sandbox.business.fulfilment import Fulfilment, OpenOrder
from trueup.sandbox.business.inventory import Operations
from trueup.sandbox.business.orders import Customers
from trueup.sandbox.world.entries import LineQuantity, OrderLine
from trueup.sandbox.world.intents import Reversal, Wanted


class Reversals:
    """Carries out `Reversal`s and counts them in the customers' counts."""

    def __init__(self, customers: Customers, fulfilment: Fulfilment, operations: Operations) -> None:
        self._customers = customers
        self._fulfilment = fulfilment
        self._operations = operations

    def carry_out(self, reversal: Reversal) -> None:
        """Give back everything the invoice names."""
        counts = self._customers.counts
        goods = [line for line in reversal.lines if line.sku is not None]
        counts["reversed_service_lines"] += len(reversal.lines) - len(goods)
        counts["cancellation_lines"] += len(goods)
        counts["cancellation_units"] += sum(line.quantity for line in goods)
        if reversal.channel_id is None:
            lines = tuple(
                OrderLine(
                    f"{reversal.key}-{index}", line.sku, line.code, line.title, line.quantity, line.unit_price_minor
                )
                for index, line in enumerate(goods)
            )
            self._customers.return_to_till(f"X{reversal.invoice}", None, reversal.location_id, lines)
            return
        for index, line in enumerate(goods):
            left = self._give_back(reversal, line)
            if left and line.sku is not None:
                memo = f"cancellation {reversal.invoice} of an order not known"
                self._operations.put_back(
                    line.sku, reversal.location_id, left, key=f"{reversal.key}-{index}", memo=memo
                )

    def _give_back(self, reversal: Reversal, line: Wanted) -> int:
        """Undo the customer's purchases of the product, newest first. Returns the units no purchase explains."""
        left = line.quantity
        if reversal.customer is None:
            return left
        for name in reversed(self._customers.orders_of[reversal.customer]):
            order = self._fulfilment.orders[name]
            for ordered in order.order.lines:
                if left and ordered.sku == line.sku:
                    left -= self._undo(order, ordered.line_id, left)
        return left

    def _undo(self, order: OpenOrder, line_id: str, units: int) -> int:
        """Cancel what is not sent, take back what is. Returns the units undone."""
        cancelled = self._fulfilment.cancel(order, "cancelled", is_restocked=True, only_lines={line_id: units})
        undone = cancelled.get(line_id, 0)
        for part in order.parts:
            back = min(units - undone, part.shipped - part.returned)
            if part.line_id == line_id and back > 0:
                undone += self._fulfilment.take_back(order, part.location_id, (LineQuantity(line_id, part.sku, back),))
        return undone
