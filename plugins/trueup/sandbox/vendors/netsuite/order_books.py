"""Sales orders in NetSuite's books: entered, shipped, given up, and their rows kept up with what they now are."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from trueup.sandbox.vendors.booked_amounts import charges, line_amounts
from trueup.sandbox.vendors.netsuite.ledger import Heading, Ledger, Line
from trueup.sandbox.vendors.netsuite.masters import CURRENCIES, customer_numbers, write_trackings
from trueup.sandbox.vendors.netsuite.sales_orders import OrderLine, SalesOrder
from trueup.sandbox.world.entries import Entry, Order, OrderCancelled, OrderShipped
from trueup.sandbox.world.layout import Layout

_BASE_DIGITS: Final = 2
_Name = tuple[str | None, str | None]


class OrderBooks:
    """`wanted`: units that open orders ask for, by product and location. `level_changed` is called where they change.

    `is_integrated`: an integration of the retailer's books the channels' orders and takes them back; wholesale orders
    are entered by people in any case.
    """

    def __init__(self, ledger: Ledger, layout: Layout, level_changed: Callable[[str, str], None]) -> None:
        self.is_integrated = True
        self.orders: dict[int, SalesOrder] = {}
        self.wanted: Counter[tuple[str, str]] = Counter()
        self._ledger = ledger
        self._main = layout.main
        self._customers = customer_numbers(layout)
        self._level_changed = level_changed
        self._by_name: dict[_Name, SalesOrder] = {}
        self._early: dict[_Name, list[tuple[OrderShipped, int]]] = {}

    def named(self, channel_id: str | None, name: str) -> SalesOrder | None:
        """The order that a channel calls so."""
        return self._by_name.get((channel_id, name))

    def book(self, entry: Entry, order: Order) -> int | None:
        """Have the integration, or a clerk, enter an order; its transaction, None where nobody does."""
        if order.channel_id is not None and not self.is_integrated:
            return None
        known = self._by_name.get((order.channel_id, order.name))
        if known is not None:
            return known.transaction_id
        money = line_amounts(order)
        kept = SalesOrder(
            0, (order.channel_id, order.name), self._customers.get(order.channel_id), _currency(order), _BASE_DIGITS
        )
        for line in order.lines:
            location_id = line.location_id or self._main
            item, _ = self._ledger.item_of(line.sku, line.code)
            kept.lines[line.line_id] = OrderLine(
                0, 0, item, line.sku, location_id, line.quantity, money[line.line_id], line.title
            )
        for number, charge in enumerate(charges(order)):
            item, _ = self._ledger.item_of(None, charge.code)
            kept.lines[f"charge-{number}"] = OrderLine(0, 0, item, None, self._main, 1, charge.money, charge.title)
        reference = None if order.channel_id is None else order.name
        self.enter(entry, kept, Heading("SalesOrd", order.name, otherrefnum=reference, channel=order.channel_id))
        return kept.transaction_id

    def enter(self, entry: Entry, order: SalesOrder, heading: Heading) -> None:
        """Write a new sales order with all its lines, and take up what was shipped of it before it was there."""
        lines = [_row(line, self._ledger) for line in order.lines.values()]
        if order.tax:
            lines.append(self._tax_row(order))
        full = replace(
            heading,
            status=order.status,
            entity=order.entity,
            currency=order.currency,
            exchange_rate=CURRENCIES[order.currency - 1][3],
            total=order.total,
        )
        order.transaction_id, keys = self._ledger.post(entry, full, lines)
        for number, (line, key) in enumerate(zip(order.lines.values(), keys, strict=False), 1):
            line.uniquekey, line.number = key, number
            self.want(line, line.open)
        order.tax_key = keys[-1] if order.tax else None
        self.orders[order.transaction_id] = order
        if order.key[1] is not None:
            self._by_name.setdefault(order.key, order)
            for shipped, transaction_id in self._early.pop(order.key, ()):
                self._take_shipped(order, shipped)
                self._ledger.connection.execute(
                    'UPDATE "transactionline" SET "createdfrom" = ? WHERE "transaction" = ?',
                    (order.transaction_id, transaction_id),
                )
        self.write_order(order, entry)

    def replace_line(self, order: SalesOrder, former: OrderLine, line: OrderLine) -> None:
        """Somebody saves a line of an order otherwise."""
        key = next(name for name, each in order.lines.items() if each.number == former.number)
        self.want(former, -former.open)
        order.lines[key] = line
        self.want(line, line.open)
        location = None if line.location_id is None else self._ledger.location_ids[line.location_id]
        self._ledger.set_line(line.uniquekey, location=location, memo=line.memo or None)

    def add_line(self, order: SalesOrder, line: OrderLine, entry: Entry) -> None:
        """Somebody puts another line on an order."""
        line.number = max(each.number for each in order.lines.values()) + 1 + (order.tax_key is not None)
        line.uniquekey = self._ledger.add_line(order.transaction_id, line.number, _row(line, self._ledger), entry)
        order.lines[f"line-{line.number}"] = line
        self.want(line, line.open)

    def remove(self, order: SalesOrder) -> None:
        """Somebody deletes a sales order."""
        for line in order.lines.values():
            self.want(line, -line.open)
        self._ledger.delete(order.transaction_id)
        del self.orders[order.transaction_id]
        if self._by_name.get(order.key) is order:
            del self._by_name[order.key]
            for other in self.orders.values():
                if other.key == order.key:
                    self._by_name.setdefault(order.key, other)

    def ship(self, entry: OrderShipped) -> int:
        """Write a fulfilment and what it does to its order, now or when that comes; its transaction."""
        key = (entry.channel_id, entry.order_name)
        order = self._by_name.get(key)
        transaction_id = self._post_shipment(entry, order)
        if order is None:
            self._early.setdefault(key, []).append((entry, transaction_id))
        else:
            self._take_shipped(order, entry)
            self.write_order(order, entry)
        return transaction_id

    def _post_shipment(self, entry: OrderShipped, order: SalesOrder | None) -> int:
        location = self._ledger.location_ids[entry.location_id]
        lines: list[Line] = []
        for part in entry.lines:
            if part.sku is not None:
                item, itemtype = self._ledger.item_of(part.sku, part.sku)
                lines.append(Line(item, itemtype, location, -part.quantity, is_affecting=True))
                lines.append(Line(item, itemtype, location, part.quantity, is_affecting=False, is_cogs=True))
        heading = Heading(
            "ItemShip",
            entry.reference,
            otherrefnum=None if entry.channel_id is None else entry.order_name,
            createdfrom=None if order is None else order.transaction_id,
            status="C",
            channel=entry.channel_id,
            entity=None if order is None else order.entity,
            currency=1 if order is None else order.currency,
        )
        transaction_id = self._ledger.post(entry, heading, lines)[0]
        write_trackings(self._ledger.connection, transaction_id, [entry.tracking_number])
        return transaction_id

    def _take_shipped(self, order: SalesOrder, entry: OrderShipped) -> None:
        for line, units in order.parts(entry.lines, entry.location_id):
            before = line.open
            line.shipped += units
            self.want(line, line.open - before)

    def cancel(self, entry: OrderCancelled) -> int | None:
        """Take off an order what will not be shipped; its transaction, None where there is none."""
        order = self._by_name.get((entry.channel_id, entry.order_name))
        if order is None or (entry.channel_id is not None and not self.is_integrated):
            return None
        for line, units in order.parts(entry.lines):
            taken = min(line.open, units)
            line.cancelled += taken
            self.want(line, -taken)
        self.write_order(order, entry)
        return order.transaction_id

    def write_order(self, order: SalesOrder, entry: Entry) -> None:
        """Bring the sales order's rows up to what its lines now are."""
        at = entry.recorded_at if entry.moves_timestamp else None
        exchange_rate = CURRENCIES[order.currency - 1][3]
        for line in order.lines.values():
            committed = 0 if line.sku is None else line.open
            self._ledger.set_line(
                line.uniquekey,
                quantity=-line.quantity,
                quantityshiprecv=line.shipped,
                quantitycommitted=committed or None,
                quantitybilled=line.billed,
                isclosed="T" if line.is_shut else "F",
                rate=line.money.rate,
            )
            self._ledger.set_amount(line.uniquekey, -line.amount_of(line.quantity, order.digits), exchange_rate)
        if order.tax_key is None and order.tax:
            number = 1 + max(line.number for line in order.lines.values())
            order.tax_key = self._ledger.add_line(order.transaction_id, number, self._tax_row(order), entry)
        if order.tax_key is not None:
            self._ledger.set_amount(order.tax_key, -order.tax, exchange_rate)
        self._ledger.set_total(order.transaction_id, order.total, exchange_rate)
        self._ledger.set_transaction(order.transaction_id, at, status=order.status)

    def _tax_row(self, order: SalesOrder) -> Line:
        item, _ = self._ledger.item_of(None, "TAX")
        return Line(item, "TaxItem", None, None, is_affecting=False, amount=-order.tax, is_tax=True)

    def want(self, line: OrderLine, delta: int) -> None:
        """Units that the line asks for at its location, more or less than before."""
        if line.sku is not None and line.location_id is not None and delta:
            self.wanted[line.sku, line.location_id] += delta
            self._level_changed(line.sku, line.location_id)


def _row(line: OrderLine, ledger: Ledger) -> Line:
    return Line(
        line.item,
        "OthCharge" if line.sku is None else "InvtPart",
        None if line.location_id is None else ledger.location_ids[line.location_id],
        -line.ordered,
        is_affecting=False,
        rate=line.money.rate,
        amount=-line.money.amount,
        memo=line.memo,
    )


def _currency(order: Order) -> int:
    symbol = order.currency if order.money is None else order.money.currencies.shop
    return next((number for number, known in enumerate(CURRENCIES, 1) if known[0] == symbol), 1)
