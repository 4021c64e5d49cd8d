"""Who is to send what: a store's fulfilment orders are made, held, moved, split and merged here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from trueup.sandbox.vendors.shopify.fulfilments import FulfillmentOrder, Hold, PlanLine
from trueup.sandbox.vendors.shopify.objects import Location
from trueup.sandbox.vendors.shopify.order_lines import Line
from trueup.sandbox.vendors.shopify.shop_order import ShopOrder

if TYPE_CHECKING:
    from trueup.sandbox.vendors.shopify.books import ShopBooks


@dataclass(frozen=True, slots=True)
class Pick:
    """Units of a plan's line that are sent."""

    plan: FulfillmentOrder
    line: PlanLine
    units: int


class Plans:
    """The plans of one store's orders."""

    def __init__(self, store: "ShopBooks") -> None:
        self._store = store

    def make(self, order: ShopOrder, wanted: Iterable[tuple[Line, Location, int]], now: datetime) -> None:
        """Plan goods: one fulfilment order for each location."""
        by_location: dict[int, list[tuple[Line, Location, int]]] = {}
        for line, location, units in wanted:
            if units and line.requires_shipping:
                by_location.setdefault(location.number, []).append((line, location, units))
        for parts in by_location.values():
            self._open(order, parts[0][1], [(line, units) for line, _, units in parts], now)

    def _open(
        self, order: ShopOrder, location: Location, parts: Iterable[tuple[Line, int]], now: datetime
    ) -> FulfillmentOrder:
        store = self._store
        lines = [PlanLine(store.new_side_number(), line, units, units) for line, units in parts]
        plan = FulfillmentOrder(store.new_side_number(), order, location, now, now, lines)
        store.register(plan, *lines)
        order.plans.append(plan)
        return plan

    def pick(self, order: ShopOrder, line: Line, units: int, location: Location) -> list[Pick]:
        """Where so many units of a line are planned, first at the location; no more than are planned."""
        found, left = [], units
        for plan in sorted(order.plans, key=lambda each: each.location is not location):
            for part in plan.lines:
                taken = min(left, part.remaining_quantity) if part.line_item is line else 0
                if taken:
                    found.append(Pick(plan, part, taken))
                    left -= taken
        return found

    def take_off(self, order: ShopOrder, line: Line, units: int, now: datetime) -> None:
        """Units that will not be sent any more."""
        left = units
        for plan in reversed(order.plans):
            for part in plan.lines:
                if part.line_item is line and left:
                    taken = min(left, part.remaining_quantity)
                    part.remaining_quantity -= taken
                    left -= taken
                    plan.updated_at = now

    # -- what staff do -------------------------------------------------------------------------------------------

    def open_at(self, order: ShopOrder, location: Location | None) -> Sequence[FulfillmentOrder]:
        """The order's plans that are not done, of one location or of all."""
        return [plan for plan in order.plans if not plan.is_closed and (location is None or plan.location is location)]

    def hold(self, plan: FulfillmentOrder, reason: str, now: datetime) -> None:
        """Send nothing of it for now."""
        hold = Hold(self._store.new_side_number(), reason)
        self._store.register(hold)
        plan.holds.append(hold)
        self._changed("FULFILLMENT_ORDERS_PLACED_ON_HOLD", plan, now)

    def release(self, plan: FulfillmentOrder, now: datetime) -> None:
        """It may be sent again."""
        if plan.holds:
            plan.holds.clear()
            self._changed("FULFILLMENT_ORDERS_HOLD_RELEASED", plan, now)

    def request(self, plan: FulfillmentOrder, now: datetime, *, is_accepted: bool) -> None:
        """A fulfilment service is asked to send it, or accepts."""
        plan.request_status = "ACCEPTED" if is_accepted else "SUBMITTED"
        topic = "FULFILLMENT_REQUEST_ACCEPTED" if is_accepted else "FULFILLMENT_REQUEST_SUBMITTED"
        self._changed(f"FULFILLMENT_ORDERS_{topic}", plan, now)

    def move(self, plan: FulfillmentOrder, location: Location, now: datetime) -> None:
        """Another location sends what was not sent; what was stays where it is, as a plan that is done."""
        if not any(part.total_quantity > part.remaining_quantity for part in plan.lines):
            plan.location = location
            self._changed("FULFILLMENT_ORDERS_MOVED", plan, now)
            return
        moved = self._open(plan.order, location, self._cut(plan, everything=True), now)
        self._changed("FULFILLMENT_ORDERS_MOVED", moved, now)

    def split(self, plan: FulfillmentOrder, now: datetime) -> FulfillmentOrder | None:
        """Make two of it, the second with half of each line's units; None where there is nothing to split."""
        if plan.status != "OPEN" or plan.remaining < 2:
            return None
        other = self._open(plan.order, plan.location, self._cut(plan, everything=False), now)
        self._changed("FULFILLMENT_ORDERS_SPLIT", plan, now)
        return other

    def merge(self, plan: FulfillmentOrder, now: datetime) -> None:
        """Make it one with the order's other open plans of its location."""
        others = plan.mergeable()
        for other in others:
            for part in other.lines:
                same = next((mine for mine in plan.lines if mine.line_item is part.line_item), None)
                if same is None:
                    plan.lines.append(part)
                else:
                    same.total_quantity += part.total_quantity
                    same.remaining_quantity += part.remaining_quantity
            plan.order.plans.remove(other)
            self._store.forget(other)
        if others:
            self._changed("FULFILLMENT_ORDERS_MERGED", plan, now)

    @staticmethod
    def _cut(plan: FulfillmentOrder, *, everything: bool) -> list[tuple[Line, int]]:
        """Take units out of a plan: all that remain, or half of them and at least one."""
        parts = []
        left = plan.remaining if everything else plan.remaining // 2
        for part in plan.lines:
            taken = min(left, part.remaining_quantity)
            if taken:
                part.total_quantity -= taken
                part.remaining_quantity -= taken
                left -= taken
                parts.append((part.line_item, taken))
        plan.lines = [part for part in plan.lines if part.total_quantity]
        return parts

    def _changed(self, topic: str, plan: FulfillmentOrder, now: datetime) -> None:
        plan.updated_at = now
        self._store.notify(topic, plan)
