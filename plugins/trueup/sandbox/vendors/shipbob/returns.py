"""ShipBob's returns: announced over the API or found on the dock, and what became of each unit."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from trueup.sandbox.vendors.shipbob.catalog import Stocked
from trueup.sandbox.vendors.shipbob.identifiers import timestamp
from trueup.sandbox.vendors.shipbob.orders import Kept
from trueup.sandbox.world.layout import Location

AWAITING: Final = "AwaitingArrival"
COMPLETED: Final = "Completed"
CANCELLED: Final = "Cancelled"


@dataclass(slots=True)
class ReturnLine:
    """Units of one item. `requested`: what is to be done with them; `processed`: of them dealt with."""

    item: Stocked
    quantity: int
    requested: str
    processed: int = 0


@dataclass(slots=True, eq=False)
class ReturnOrder:
    """One return. `history`: each status with its moment. `shipment_number`: the parcel that it was, where known."""

    number: int
    reference_id: str
    lines: list[ReturnLine]
    inserted_at: datetime
    kept: Kept | None
    shipment_number: int | None
    tracking_number: str | None
    history: list[tuple[str, datetime]] = field(default_factory=list)

    @property
    def status(self) -> str:
        """The newest."""
        return self.history[-1][0]

    @property
    def completed_at(self) -> datetime | None:
        """When all that came was dealt with, None before."""
        return next((at for name, at in self.history if name == COMPLETED), None)

    def reached_at(self, status: str) -> str | None:
        """When it came to a status, None where it never did."""
        return next((timestamp(at) for name, at in self.history if name == status), None)


class ShipBobReturns:
    """The returns of one warehouse, oldest first."""

    def __init__(self, warehouse: Location, channel_ids: Mapping[str | None, int]) -> None:
        self._warehouse = warehouse
        self._channel_ids = channel_ids
        self._numbers = itertools.count(510_001)
        self.by_number: dict[int, ReturnOrder] = {}

    def announce(
        self,
        reference_id: str,
        lines: Sequence[ReturnLine],
        at: datetime,
        kept: Kept | None,
        *,
        shipment_number: int | None = None,
        tracking_number: str | None = None,
    ) -> ReturnOrder:
        """Goods are expected back."""
        number = next(self._numbers)
        made = ReturnOrder(number, reference_id, list(lines), at, kept, shipment_number, tracking_number)
        made.history.append((AWAITING, at))
        self.by_number[number] = made
        return made

    def expected(self, kept: Kept | None) -> ReturnOrder | None:
        """The oldest return that is announced for an order."""
        waiting = (each for each in self.by_number.values() if each.status == AWAITING)
        return next((each for each in waiting if kept is not None and each.kept is kept), None)

    def complete(self, returned: ReturnOrder, units: Mapping[int, int], at: datetime) -> None:
        """The goods came and were put where they belong. `units`: by inventory id; fewer than announced may come."""
        left = dict(units)
        for line in returned.lines:
            line.processed = min(line.quantity, left.get(line.item.inventory_id, 0))
            left[line.item.inventory_id] = left.get(line.item.inventory_id, 0) - line.processed
        returned.history += [("Arrived", at), ("Processing", at), (COMPLETED, at)]

    def cancel(self, returned: ReturnOrder, at: datetime) -> None:
        """Nothing is expected any more."""
        returned.history.append((CANCELLED, at))

    def content(self, returned: ReturnOrder) -> dict[str, Any]:
        """The return as reading shows it."""
        brief = self.brief(returned)
        brief["invoice"] = {"amount": brief.pop("invoice_amount"), "currency_code": "GBP"}
        inventory = [
            {**line, "sku": each.item.code, "barcodes": [each.item.gtin] if each.item.gtin else []}
            for line, each in zip(brief["inventory"], returned.lines, strict=True)
        ]
        return {
            **brief,
            "inventory": inventory,
            "awaiting_arrival_date": returned.reached_at(AWAITING),
            "arrived_date": returned.reached_at("Arrived"),
            "processing_date": returned.reached_at("Processing"),
            "cancelled_date": returned.reached_at(CANCELLED),
            "shipment_tracking_number": None,
            "status_history": [{"status": name, "timestamp": timestamp(at)} for name, at in returned.history],
        }

    def brief(self, returned: ReturnOrder) -> dict[str, Any]:
        """The return as writing answers it."""
        kept = returned.kept
        channel = None if kept is None else kept.order.channel_id
        return {
            "id": returned.number,
            "reference_id": returned.reference_id,
            "status": returned.status,
            "return_type": "Regular",
            "insert_date": timestamp(returned.inserted_at),
            "completed_date": returned.reached_at(COMPLETED),
            "original_shipment_id": returned.shipment_number,
            "store_order_id": None if kept is None else kept.order.name,
            "tracking_number": returned.tracking_number,
            "customer_name": None,
            "channel": {"id": self._channel_ids[channel], "name": channel},
            "fulfillment_center": {"id": int(self._warehouse.source_location_id), "name": self._warehouse.name},
            "inventory": [_line(each, is_done=returned.status == COMPLETED) for each in returned.lines],
            "invoice_amount": 0.0,
            "transactions": [],
        }


def _line(line: ReturnLine, *, is_done: bool) -> dict[str, Any]:
    taken = {"Dispose": "Dispose", "Quarantine": "Quarantine"}.get(line.requested, "Restock")
    return {
        "id": line.item.inventory_id,
        "name": line.item.title,
        "quantity": line.quantity,
        "action_requested": {"action": line.requested, "action_type": line.requested, "instructions": None},
        "action_taken": [
            {"action": taken, "action_reason": None, "image_url": None, "quantity_processed": line.processed}
        ]
        if is_done
        else [],
    }
