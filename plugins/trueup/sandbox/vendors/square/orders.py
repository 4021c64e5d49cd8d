"""Square's orders: till sales, the online listing's orders with their fulfilments, and returns of either.

Square cannot take units off a paid order: what will not be shipped is a CANCELED fulfilment entry, what comes back is
an order of its own with `returns`.
"""

import itertools
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from trueup.sandbox.vendors.square.buyers import Buyer, Paid
from trueup.sandbox.vendors.square.identifiers import timestamp
from trueup.sandbox.vendors.square.kept_orders import Json, Kept
from trueup.sandbox.vendors.square.money import money, pence
from trueup.sandbox.vendors.square.payments import SquarePayments
from trueup.sandbox.vendors.square.pricing import gross_of, priced, totals
from trueup.sandbox.vendors.square.refunds import RETURNED, SquareRefunds
from trueup.sandbox.vendors.square.returns import Back
from trueup.sandbox.world.entries import Entry, LineQuantity, Order, OrderLine

_TILL: Final = {"name": "Square Point of Sale"}
_SHOP: Final = {"name": "Square Online"}
_MAX_REFERENCE: Final = 40
_TAXED: Final = ("GB", "United Kingdom")
_REFUNDED_AFTER: Final = (120, 1800)  # seconds until staff give back what a cancelled unit cost


class SquareOrders:
    """Orders by id, in the order in which they came, and the payments that they took.

    `channel_id`: the listing's own; orders of other channels are paid there. `dice`: of money alone, by key; it
    returns None where nothing is left to chance. `changed` takes up what webhooks are to report.
    """

    def __init__(
        self,
        variations: Mapping[str, str],
        channel_id: str,
        dice: Callable[..., random.Random | None],
        changed: list[tuple[str, Json]],
    ) -> None:
        self.by_id: dict[str, Json] = {}
        self.payments = SquarePayments(changed)
        self.refunds = SquareRefunds(self.by_id, self.payments, changed)
        self._variations = variations
        self._channel_id = channel_id
        self._dice = dice
        self._changed = changed
        self._numbers = itertools.count(1)
        self._kept: dict[str, Kept] = {}
        self._kept_by_id: dict[str, Kept] = {}

    # -- the world's entries -------------------------------------------------------------------------------------

    def sell(self, entry: Entry, reference: str, location: str, lines: Iterable[OrderLine]) -> str:
        """A till's sale: paid and gone. Returns the order's id."""
        buyer = Buyer(self._dice(reference), is_online=False, is_taxed=True)
        order = self._open(entry, reference, location, lines, buyer, source=_TILL)
        order.content |= {"state": "COMPLETED", "closed_at": timestamp(entry.happened_at)}
        self._pay(order, buyer.payments(pence(order.content, "total_money")), entry, is_online=False)
        return str(order.content["id"])

    def take(self, entry: Entry, sold: Order, location: str) -> str:
        """An online order: to be shipped. Returns its id; a known one is left as it is."""
        known = self._kept.get(sold.name)
        if known is not None:
            return str(known.content["id"])
        is_own = sold.channel_id == self._channel_id
        buyer = Buyer(self._dice(sold.name) if is_own else None, is_online=True, is_taxed=sold.country in _TAXED)
        order = self._open(entry, sold.name, location, sold.lines, buyer, source=_SHOP)
        order.channel_id = sold.channel_id
        order.content["state"] = "OPEN"
        total = pence(order.content, "total_money")
        elsewhere = (Paid("OTHER", total, source=str(sold.channel_id)),) if total else ()
        self._pay(order, buyer.payments(total) if is_own else elsewhere, entry, is_online=True)
        order.write_fulfillments()
        return str(order.content["id"])

    def ship(self, entry: Entry, name: str, location: str, lines: Iterable[LineQuantity]) -> str | None:
        """Units of an online order leave a store. Returns its id, None where it is not known."""
        order = self._kept.get(name)
        if order is None:
            return None
        for line in lines:
            order.shipped[location, order.uids[line.line_id]] += line.quantity
        order.shipped_at[location] = timestamp(entry.recorded_at)
        return self._shipped_or_cancelled(entry, order)

    def cancel(self, entry: Entry, name: str, lines: Sequence[LineQuantity], *, is_whole: bool) -> str | None:
        """Units of an online order will not be shipped, and staff give their money back. Returns its id, if known."""
        order = self._kept.get(name)
        if order is None:
            return None
        for line in lines:
            order.cancelled[order.uids[line.line_id]] += line.quantity
        dice = self._dice(name, "cancelled", order.content["version"])
        delay = _REFUNDED_AFTER[0] if dice is None else dice.randint(*_REFUNDED_AFTER)
        parts = [self._back(line) for line in lines]
        self.refunds.plan(order, parts, entry.recorded_at + timedelta(seconds=delay), is_whole=is_whole)
        return self._shipped_or_cancelled(entry, order)

    def take_back(
        self,
        entry: Entry,
        reference: str,
        location: str,
        lines: Iterable[OrderLine | LineQuantity],
        sold_as: str | None,
    ) -> str:
        """Goods come back and are refunded: an order of its own.

        `sold_as`: the till's receipt or the online order, where known; cash is given for what is not.
        """
        source = None if sold_as is None else self._kept.get(sold_as)
        number = next(self._numbers)
        parts = [self._back(line) for line in lines]
        origin = {"id": f"SQORDR{number:018d}", "location_id": location, "source": _TILL}
        origin["reference_id"] = reference[:_MAX_REFERENCE]
        self.refunds.take_back(origin, source, parts, RETURNED, entry.recorded_at, is_whole=False)
        return str(origin["id"])

    # -- the API -------------------------------------------------------------------------------------------------

    def kept(self, order_id: str) -> Kept | None:
        """A sale with what is behind it; None for a return and for an unknown id."""
        return self._kept_by_id.get(order_id)

    def kept_orders(self) -> Iterable[Kept]:
        """All sales, in the order in which they were written."""
        return self._kept_by_id.values()

    def changed(self, order: Kept, at: datetime) -> None:
        """An order was written to over the API."""
        order.content["version"] += 1
        order.content["updated_at"] = timestamp(at)
        if "fulfillments" in order.content:
            order.write_fulfillments()
        self._changed.append(("order.updated", order.content))

    # -- inside --------------------------------------------------------------------------------------------------

    def _open(
        self,
        entry: Entry,
        reference: str,
        location: str,
        lines: Iterable[OrderLine],
        buyer: Buyer,
        *,
        source: Mapping[str, str],
    ) -> Kept:
        order = Kept({})
        items = []
        for position, line in enumerate(lines, 1):
            uid = order.uids[line.line_id] = f"LINE{position}"
            items.append(_line_item(uid, line, self._variation(line.sku)))
        order.content = {
            "id": f"SQORDR{next(self._numbers):018d}",
            "location_id": location,
            "reference_id": reference[:_MAX_REFERENCE],
            "source": dict(source),
            "created_at": timestamp(entry.happened_at),
            "updated_at": timestamp(entry.recorded_at),
            "version": 1,
            "net_amount_due_money": money(0),
            **priced(items, buyer.terms([gross_of(item) for item in items])),
        }
        self.by_id[order.content["id"]] = order.content
        self._kept[reference] = self._kept_by_id[order.content["id"]] = order
        return order

    def _pay(self, order: Kept, paid: Sequence[Paid], entry: Entry, *, is_online: bool) -> None:
        content = order.content
        tenders = [
            self.payments.take(content, number, each, entry.recorded_at, entry.happened_at, is_online=is_online)
            for number, each in enumerate(paid, 1)
        ]
        if tenders:
            tip = sum(each.tip for each in paid)
            charges = content.get("service_charges", ())
            content |= {"tenders": tenders, **totals(content["line_items"], charges, tip=tip)}

    def _shipped_or_cancelled(self, entry: Entry, order: Kept) -> str:
        order.content["version"] += 1
        if entry.moves_timestamp:
            order.content["updated_at"] = timestamp(entry.recorded_at)
        updates = order.write_fulfillments()
        if updates:
            self._changed.append(("order.fulfillment.updated", {**order.content, "fulfillment_update": updates}))
        states = {fulfillment["state"] for fulfillment in order.content["fulfillments"]}
        if "PROPOSED" not in states and order.content["state"] == "OPEN":
            order.content["state"] = "COMPLETED" if "COMPLETED" in states else "CANCELED"
            order.content["closed_at"] = timestamp(entry.recorded_at)
        return str(order.content["id"])

    def _variation(self, sku: str | None) -> str | None:
        return None if sku is None else self._variations.get(sku)

    def _back(self, line: OrderLine | LineQuantity) -> Back:
        variation = self._variation(line.sku)
        if isinstance(line, OrderLine):
            return Back(line.line_id, variation, line.quantity, line.title or line.code, line.unit_price_minor)
        return Back(line.line_id, variation, line.quantity)


def _line_item(uid: str, line: OrderLine, variation: str | None) -> Json:
    item: Json = {
        "uid": uid,
        "name": line.title or line.code,
        "quantity": str(line.quantity),
        "base_price_money": money(line.unit_price_minor),
    }
    if variation is None:
        # What is no catalog item is keyed in at the till: an amount with a note.
        return {**item, "item_type": "CUSTOM_AMOUNT", "note": line.code}
    return {**item, "item_type": "ITEM", "catalog_object_id": variation, "variation_name": "Regular"}
