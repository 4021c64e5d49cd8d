"""Square's orders: till sales, the online listing's orders with their fulfilments, and returns of either.

Square cannot take units off a paid order: what will not be shipped is a CANCELED fulfilment entry, what comes back is
an order of its own with `returns`.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from trueup.sandbox.vendors.square.identifiers import timestamp
from trueup.sandbox.world.entries import Entry, LineQuantity, OrderLine

_TILL: Final = {"name": "Square Point of Sale"}
_SHOP: Final = {"name": "Square Online"}
_MAX_REFERENCE: Final = 40
LineKey = tuple[str, str]
"""(ship-from location or empty, line uid)."""


@dataclass(slots=True)
class Kept:
    """An order, and what its fulfilments are made from. `uids` are the lines' uids by the world's line id."""

    content: dict[str, Any]
    uids: dict[str, str] = field(default_factory=dict)
    variations: dict[str, str | None] = field(default_factory=dict)
    shipped: Counter[LineKey] = field(default_factory=Counter)
    shipped_at: dict[str, str] = field(default_factory=dict)
    cancelled: Counter[str] = field(default_factory=Counter)


class SquareOrders:
    """Orders by id, in the order in which they came."""

    def __init__(self, variations: Mapping[str, str]) -> None:
        self._variations = variations
        self._numbers = itertools.count(1)
        self.by_id: dict[str, dict[str, Any]] = {}
        self._kept: dict[str, Kept] = {}

    def sell(self, entry: Entry, reference: str, location: str, lines: Iterable[OrderLine]) -> str:
        """A till's sale: paid and gone. Returns the order's id."""
        order = self._open(entry, reference, location, lines, source=_TILL)
        moment = timestamp(entry.happened_at)
        order.content |= {"state": "COMPLETED", "closed_at": moment, "tenders": [_tender(order.content, moment)]}
        return str(order.content["id"])

    def take(self, entry: Entry, name: str, location: str, lines: Iterable[OrderLine]) -> str:
        """An online order: to be shipped. Returns its id; a known one is left as it is."""
        known = self._kept.get(name)
        if known is not None:
            return str(known.content["id"])
        order = self._open(entry, name, location, lines, source=_SHOP)
        order.content |= {"state": "OPEN", "tenders": [_tender(order.content, timestamp(entry.recorded_at))]}
        self._tell_fulfillments(order)
        return str(order.content["id"])

    def ship(self, entry: Entry, name: str, location: str, lines: Iterable[LineQuantity]) -> str | None:
        """Units of an online order leave a store. Returns its id, None where it is not known."""
        order = self._kept.get(name)
        if order is None:
            return None
        for line in lines:
            order.shipped[location, order.uids[line.line_id]] += line.quantity
        order.shipped_at[location] = timestamp(entry.recorded_at)
        return self._changed(entry, order)

    def cancel(self, entry: Entry, name: str, lines: Iterable[LineQuantity]) -> str | None:
        """Units of an online order will not be shipped. Returns its id, None where it is not known."""
        order = self._kept.get(name)
        if order is None:
            return None
        for line in lines:
            order.cancelled[order.uids[line.line_id]] += line.quantity
        return self._changed(entry, order)

    def take_back(
        self, entry: Entry, reference: str, location: str, lines: Iterable[LineQuantity], sold_as: str | None
    ) -> str:
        """Goods come back: an order of its own. `sold_as`: the till's receipt or the online order, where known."""
        source = None if sold_as is None else self._kept.get(sold_as)
        moment = timestamp(entry.recorded_at)
        number = next(self._numbers)
        returned = {"uid": f"RETURN{number}", "return_line_items": [_returned(line, source, self) for line in lines]}
        if source is not None:
            returned["source_order_id"] = source.content["id"]
        content = self._keep(
            {
                "id": f"SQORDR{number:018d}",
                "location_id": location,
                "reference_id": reference[:_MAX_REFERENCE],
                "source": _TILL,
                "returns": [returned],
                "created_at": moment,
                "updated_at": moment,
                "closed_at": moment,
                "state": "COMPLETED",
                "version": 1,
            }
        )
        return str(content["id"])

    def variation(self, sku: str | None) -> str | None:
        """The variation of a product; None for what is none."""
        return None if sku is None else self._variations.get(sku)

    def _open(
        self, entry: Entry, reference: str, location: str, lines: Iterable[OrderLine], *, source: Mapping[str, str]
    ) -> Kept:
        number = next(self._numbers)
        order = Kept({})
        items = []
        for position, line in enumerate(lines, 1):
            uid = order.uids[line.line_id] = f"LINE{position}"
            order.variations[uid] = self.variation(line.sku)
            items.append(_line_item(uid, line, order.variations[uid]))
        total = _money(sum(item["total_money"]["amount"] for item in items))
        order.content = self._keep(
            {
                "id": f"SQORDR{number:018d}",
                "location_id": location,
                "reference_id": reference[:_MAX_REFERENCE],
                "source": dict(source),
                "line_items": items,
                "created_at": timestamp(entry.happened_at),
                "updated_at": timestamp(entry.recorded_at),
                "version": 1,
                "total_money": total,
                "net_amount_due_money": _money(0),
            }
        )
        self._kept[reference] = order
        return order

    def _keep(self, content: dict[str, Any]) -> dict[str, Any]:
        self.by_id[content["id"]] = content
        return content

    def _changed(self, entry: Entry, order: Kept) -> str:
        order.content["version"] += 1
        if entry.moves_timestamp:
            order.content["updated_at"] = timestamp(entry.recorded_at)
        self._tell_fulfillments(order)
        states = {fulfillment["state"] for fulfillment in order.content["fulfillments"]}
        if "PROPOSED" not in states and order.content["state"] == "OPEN":
            order.content["state"] = "COMPLETED" if "COMPLETED" in states else "CANCELED"
            order.content["closed_at"] = timestamp(entry.recorded_at)
        return str(order.content["id"])

    def _tell_fulfillments(self, order: Kept) -> None:
        """One fulfilment for what each store shipped, one for what is cancelled, one for what is still to come."""
        gone: Counter[str] = Counter(order.cancelled)
        by_location: dict[str, Counter[str]] = {}
        for (location, uid), units in order.shipped.items():
            by_location.setdefault(location, Counter())[uid] += units
            gone[uid] += units
        content = [
            _fulfillment(
                f"SHIPPED-{location}",
                "COMPLETED",
                units,
                {"shipped_at": order.shipped_at[location]},
                {"ship_from_location_id": location},
            )
            for location, units in by_location.items()
        ]
        if order.cancelled:
            content.append(_fulfillment("CANCELED", "CANCELED", order.cancelled, {}, {}))
        rest = Counter(
            {
                item["uid"]: int(item["quantity"]) - gone[item["uid"]]
                for item in order.content["line_items"]
                if "catalog_object_id" in item and int(item["quantity"]) > gone[item["uid"]]
            }
        )
        if rest or not content:
            content.insert(0, _fulfillment("OPEN", "PROPOSED", rest, {"placed_at": order.content["created_at"]}, {}))
        order.content["fulfillments"] = content


def _fulfillment(
    uid: str, state: str, units: Mapping[str, int], details: Mapping[str, str], metadata: Mapping[str, str]
) -> dict[str, Any]:
    content: dict[str, Any] = {
        "uid": uid,
        "type": "SHIPMENT",
        "state": state,
        "line_item_application": "ENTRY_LIST",
        "entries": [
            {"uid": f"{uid}-{line}", "line_item_uid": line, "quantity": str(count)} for line, count in units.items()
        ],
        "shipment_details": dict(details),
    }
    return {**content, "metadata": dict(metadata)} if metadata else content


def _line_item(uid: str, line: OrderLine, variation: str | None) -> dict[str, Any]:
    total = _money(line.unit_price_minor * line.quantity)
    content: dict[str, Any] = {
        "uid": uid,
        "name": line.title or line.code,
        "quantity": str(line.quantity),
        "base_price_money": _money(line.unit_price_minor),
        "gross_sales_money": total,
        "total_money": total,
    }
    if variation is None:
        # What is no catalog item is keyed in at the till: an amount with a note.
        return {**content, "item_type": "CUSTOM_AMOUNT", "note": line.code}
    return {**content, "item_type": "ITEM", "catalog_object_id": variation, "variation_name": "Regular"}


def _returned(line: LineQuantity, source: Kept | None, orders: SquareOrders) -> dict[str, Any]:
    content: dict[str, Any] = {"uid": f"R-{line.line_id}", "quantity": str(line.quantity), "item_type": "ITEM"}
    variation = orders.variation(line.sku)
    if variation is not None:
        content["catalog_object_id"] = variation
    uid = None if source is None else source.uids.get(line.line_id)
    return content if uid is None else {**content, "source_line_item_uid": uid}


def _money(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "GBP"}


def _tender(order: Mapping[str, Any], moment: str) -> dict[str, Any]:
    return {
        "id": f"{order['id']}T",
        "location_id": order["location_id"],
        "transaction_id": order["id"],
        "created_at": moment,
        "amount_money": order["total_money"],
        "type": "CARD",
    }
