"""What the retailer's people do when a program asks something of a channel over its API."""

from collections.abc import Mapping

from trueup.sandbox.business.fulfilment import Fulfilment


class Desk:
    """The world's `OrderDesk`. The channel knows already what it is about."""

    def __init__(self, fulfilment: Fulfilment) -> None:
        self._fulfilment = fulfilment
        self._asked = 0

    def give_up(self, order_name: str, lines: Mapping[str, int] | None) -> None:
        """Send no more of an order, or so many units of its lines less."""
        for accepted in self._fulfilment.of(order_name):
            self._fulfilment.cancel(
                accepted, "cancelled over the API", is_restocked=True, only_lines=lines, is_taker_notified=False
            )

    def complete_payments_later(self, system_id: str, order_name: str) -> None:
        """Have the gateways carry out what is pending, after their time."""
        self._asked += 1
        self._fulfilment.documents.complete_payments(system_id, order_name, f"api-{self._asked}")
