"""Square's counts, worked out as Square does: the newest physical count plus the adjustments dated after it.

Dates are the sender's (`occurred_at`), so a change may arrive late and out of order and still count right. What is
told about a count is when Square last took something in that moved it (`calculated_at`).
"""

import bisect
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from trueup.sandbox.vendors.square.identifiers import quantity, timestamp

IN_STOCK: Final = "IN_STOCK"
WASTE: Final = "WASTE"
# Counted by Square at all; the other states are where units come from and go to.
COUNTED: Final = (IN_STOCK, WASTE)

Order = tuple[datetime, str]
"""When something happened, and a text that decides between two things of one second."""


@dataclass(slots=True)
class StateCount:
    """One count: `value` units now, of which `later` are the adjustments dated after the newest physical count."""

    value: Decimal
    counted_at: Order
    calculated_at: datetime
    received: int
    later: list[tuple[Order, Decimal]] = field(default_factory=list)

    def counted(self, units: Decimal, order: Order) -> Decimal:
        """What the count would be if `units` had been counted at `order`."""
        if order < self.counted_at:
            return self.value
        return units + sum((delta for at, delta in self.later if at > order), Decimal(0))


@dataclass(frozen=True, slots=True)
class Received:
    """When Square took a change in, and whether its count's `calculated_at` follows."""

    at: datetime
    order: Order
    moves_timestamp: bool = True


class SquareStock:
    """Counts by (variation, location, state), and every change ever taken in."""

    def __init__(self) -> None:
        self.state_counts: dict[tuple[str, str, str], StateCount] = {}
        self.changes: list[dict[str, Any]] = []
        self._received_at: list[datetime] = []
        self._numbers = itertools.count(1)

    def open(self, variation: str, location: str, units: int, changed_at: datetime) -> None:
        """A count that is there when the world begins."""
        self.state_counts[variation, location, IN_STOCK] = StateCount(
            Decimal(units), (changed_at, ""), changed_at, next(self._numbers)
        )

    def value(self, variation: str, location: str) -> Decimal | None:
        """Units in stock, None where nothing was ever counted there."""
        state_count = self.state_counts.get((variation, location, IN_STOCK))
        return None if state_count is None else state_count.value

    def count(self, fields: Mapping[str, Any], units: Decimal, received: Received) -> dict[str, Any]:
        """Take a physical count in: `fields` say of what, where and in which state. Returns the change."""
        key = (fields["catalog_object_id"], fields["location_id"], fields["state"])
        state_count = self._state_count(key, received)
        if received.order >= state_count.counted_at:
            state_count.value, state_count.counted_at = state_count.counted(units, received.order), received.order
            state_count.later = [(order, delta) for order, delta in state_count.later if order > received.order]
            self._touch(state_count, received)
        return self._keep("PHYSICAL_COUNT", "physical_count", {**fields, "quantity": quantity(units)}, received)

    def adjust(self, fields: Mapping[str, Any], units: Decimal, received: Received) -> dict[str, Any]:
        """Take an adjustment in: `fields` say of what, where, from and to which state. Returns the change."""
        for state, delta in ((fields["from_state"], -units), (fields["to_state"], units)):
            if state in COUNTED:
                state_count = self._state_count((fields["catalog_object_id"], fields["location_id"], state), received)
                # What happened before the newest count is in it already.
                if received.order > state_count.counted_at:
                    bisect.insort(state_count.later, (received.order, delta))
                    state_count.value += delta
                    self._touch(state_count, received)
        return self._keep("ADJUSTMENT", "adjustment", {**fields, "quantity": quantity(units)}, received)

    def counts_of(self, keys: Iterable[tuple[str, str, str]]) -> list[dict[str, Any]]:
        """Counts as the API shows them; keys without a count are left out."""
        return [
            {
                "catalog_object_id": key[0],
                "catalog_object_type": "ITEM_VARIATION",
                "state": key[2],
                "location_id": key[1],
                "quantity": quantity(state_count.value),
                "calculated_at": timestamp(state_count.calculated_at),
            }
            for key in keys
            if (state_count := self.state_counts.get(key)) is not None
        ]

    def _state_count(self, key: tuple[str, str, str], received: Received) -> StateCount:
        state_count = self.state_counts.get(key)
        if state_count is None:
            long_ago = datetime.min.replace(tzinfo=received.at.tzinfo)
            state_count = self.state_counts[key] = StateCount(
                Decimal(0), (long_ago, ""), received.at, next(self._numbers)
            )
        return state_count

    def _touch(self, state_count: StateCount, received: Received) -> None:
        if received.moves_timestamp:
            state_count.calculated_at, state_count.received = received.at, next(self._numbers)

    def _keep(self, kind: str, name: str, inner: Mapping[str, Any], received: Received) -> dict[str, Any]:
        number = len(self.changes) + 1
        change = {
            "type": kind,
            name: {
                "id": f"SQCHNG{number:018d}",
                **inner,
                "catalog_object_type": "ITEM_VARIATION",
                "occurred_at": timestamp(received.order[0]),
                "created_at": timestamp(received.at),
            },
        }
        self.changes.append(change)
        self._received_at.append(received.at)
        return change

    def between(self, after: datetime | None, before: datetime | None) -> Iterator[tuple[int, dict[str, Any]]]:
        """Changes taken in after and before, with their numbers: they come in the order of that time."""
        first = 0 if after is None else bisect.bisect_right(self._received_at, after)
        end = len(self.changes) if before is None else bisect.bisect_left(self._received_at, before)
        return ((number, self.changes[number]) for number in range(first, end))


def inner_of(change: Mapping[str, Any]) -> Mapping[str, Any]:
    """The physical count or the adjustment in a change."""
    inner: Mapping[str, Any] = change["physical_count" if change["type"] == "PHYSICAL_COUNT" else "adjustment"]
    return inner


def touched(changes: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """The counts that these changes could have moved, each once, in order."""
    keys: dict[tuple[str, str, str], None] = {}
    for change in changes:
        inner = inner_of(change)
        for state in (inner.get("state"), inner.get("from_state"), inner.get("to_state")):
            if state in COUNTED:
                keys[inner["catalog_object_id"], inner["location_id"], str(state)] = None
    return list(keys)
