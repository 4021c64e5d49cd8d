"""Square's refunds: each is an order of its own with `returns`, whoever asks for it.

Goods that come back are refunded at once, a cancelled unit when staff get to it, an amount when the API is asked.
A refund to a card is pending for a minute; nothing else happens by itself.
"""

import heapq
import itertools
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

from trueup.sandbox.vendors.square.identifiers import timestamp
from trueup.sandbox.vendors.square.kept_orders import Json, Kept
from trueup.sandbox.vendors.square.money import money, negated, pence
from trueup.sandbox.vendors.square.payments import PENDING_FOR, SquarePayments, room
from trueup.sandbox.vendors.square.pricing import totals
from trueup.sandbox.vendors.square.returns import Back, order_return, return_of_amount

RETURNED: Final = "Returned goods"
_CANCELLED: Final = "Cancelled before shipping"
_NO_REASON: Final = "No reason given"
_API: Final = {"name": "Trueup sandbox application"}


class SquareRefunds:
    """Makes return orders and refunds; the orders go into `orders`, what webhooks are to report into `changed`."""

    def __init__(self, orders: dict[str, Json], payments: SquarePayments, changed: list[tuple[str, Json]]) -> None:
        self._orders = orders
        self._payments = payments
        self._changed = changed
        self._numbers = itertools.count(1)
        self._due: list[tuple[datetime, int, Callable[[datetime], None]]] = []
        self._due_numbers = itertools.count(1)

    def advance(self, now: datetime) -> None:
        """Do what is due by now: approve pending refunds, refund what was cancelled."""
        while self._due and self._due[0][0] <= now:
            at, _, action = heapq.heappop(self._due)
            action(at)

    def take_back(
        self,
        origin: Mapping[str, Any],
        source: Kept | None,
        parts: Sequence[Back],
        reason: str,
        at: datetime,
        *,
        is_whole: bool,
    ) -> Json:
        """Make the return of units and refund it: to the payments of `source`, in cash where no sale is known.

        `origin`: the return order's id, place, source and reference. Returns the order.
        """
        payments = [] if source is None else list(self._payments.of_order(source.content))
        left = None if source is None else sum(map(room, payments))
        returned = order_return(f"{origin['id']}-R", source, parts, left, is_whole=is_whole)
        order = self._keep(origin, returned, at)
        amount = pence(order["return_amounts"], "total_money")
        if source is None and amount:
            self._give_back(order, None, amount, reason, at)
        for payment in payments:
            part = min(amount, room(payment))
            if part:
                self._give_back(order, payment, part, reason, at)
                amount -= part
        return order

    def plan(self, source: Kept, parts: Sequence[Back], at: datetime, *, is_whole: bool) -> None:
        """Have staff refund cancelled units at a time."""
        self._when(at, partial(self._refund_cancelled, source, parts, is_whole=is_whole))

    def refund(self, payment: Json, amount: int, reason: str | None, at: datetime) -> Json:
        """Refund an amount of a payment over the API. Returns the refund; `ApiError` beyond what is left."""
        self._payments.check(payment, amount, at)
        origin = {"id": self._next(), "location_id": payment["location_id"], "source": _API}
        order = self._keep(origin, return_of_amount(f"{origin['id']}-R", payment["order_id"], amount), at)
        refund = self._give_back(order, payment, amount, reason, at)
        self._changed.append(("order.created", order))
        return refund

    def reject(self, refund_id: str, at: datetime) -> None:
        """The bank refuses a refund: it stays, and gives nothing back."""
        refund = self._payments.refunds[refund_id]
        self._payments.reject(refund, at)
        order = self._orders[refund["order_id"]]
        for part in order["refunds"]:
            if part["id"] == refund_id:
                part["status"] = "REJECTED"
        order |= {"version": order["version"] + 1, "updated_at": timestamp(at)}
        self._changed.append(("order.updated", order))

    def _refund_cancelled(self, source: Kept, parts: Sequence[Back], at: datetime, *, is_whole: bool) -> None:
        kept = {name: source.content[name] for name in ("location_id", "source", "reference_id")}
        order = self.take_back({"id": self._next(), **kept}, source, parts, _CANCELLED, at, is_whole=is_whole)
        self._changed.append(("order.created", order))

    def _keep(self, origin: Mapping[str, Any], returned: Json, at: datetime) -> Json:
        moment = timestamp(at)
        order: Json = {
            **origin,
            "returns": [returned],
            "created_at": moment,
            "updated_at": moment,
            "closed_at": moment,
            "state": "COMPLETED",
            "version": 1,
            **totals((), (), tip=0),
            "return_amounts": returned["return_amounts"],
            "net_amounts": negated(returned["return_amounts"]),
            "net_amount_due_money": money(0),
        }
        self._orders[order["id"]] = order
        return order

    def _give_back(self, order: Json, payment: Json | None, amount: int, reason: str | None, at: datetime) -> Json:
        number = len(order.get("refunds", ())) + 1
        identifier = f"{order['id']}R{'' if number == 1 else number}"
        refund = self._payments.refund(identifier, payment, order, amount, reason, at)
        part: Json = {
            "id": identifier,
            "location_id": order["location_id"],
            "created_at": refund["created_at"],
            "reason": reason or _NO_REASON,
            "amount_money": refund["amount_money"],
            "status": "PENDING" if refund["status"] == "PENDING" else "APPROVED",
        }
        if payment is not None:
            part |= {"transaction_id": payment["order_id"], "tender_id": payment["id"]}
        order.setdefault("refunds", []).append(part)
        if refund["status"] == "PENDING":
            self._when(at + PENDING_FOR, partial(self._approve, order, part, refund))
        return refund

    def _approve(self, order: Json, part: Json, refund: Json, at: datetime) -> None:
        if refund["status"] != "PENDING":
            return
        self._payments.approve(refund, at)
        part["status"] = "APPROVED"
        order |= {"version": order["version"] + 1, "updated_at": timestamp(at)}
        self._changed.append(("order.updated", order))

    def _when(self, at: datetime, action: Callable[[datetime], None]) -> None:
        heapq.heappush(self._due, (at, next(self._due_numbers), action))

    def _next(self) -> str:
        return f"SQRFND{next(self._numbers):018d}"
