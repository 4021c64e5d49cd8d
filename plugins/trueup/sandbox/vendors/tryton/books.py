"""One Tryton database's books: one warehouse with its zones, what it holds, every move, and the sales it ships.

What happens in the world is written here; what programs enter over REST goes through sale_api.py and invoices.py.
"""

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from trueup.sandbox.vendors.booked_amounts import LineAmount, charges, line_amounts
from trueup.sandbox.vendors.tryton.invoices import Invoices
from trueup.sandbox.vendors.tryton.masters import CATEGORIES, CHARGES, COMPANY, FIRST_CHARGE, UNIT, Masters
from trueup.sandbox.vendors.tryton.records import day, number_of, written
from trueup.sandbox.vendors.tryton.returns import Returns
from trueup.sandbox.vendors.tryton.sale_api import SaleApi
from trueup.sandbox.vendors.tryton.sales import Key, Sales
from trueup.sandbox.world.books import StockBook
from trueup.sandbox.world.entries import (
    Entry,
    LineQuantity,
    MovementKind,
    OrderCancelled,
    OrderEntered,
    OrderReturned,
    OrderShipped,
    StockCounted,
    StockMoved,
)
from trueup.sandbox.world.world import World

FIRST_PRODUCT: Final = 1000
_CUSTOMER, _SUPPLIER, _LOST_AND_FOUND = 7, 8, 9
Row = dict[str, Any]


class TrytonBooks:
    """Every call is under the world's lock. Rows are whole records; what is shown of them is the API's.

    `is_integrated`: an integration of the retailer's books the channels' orders here and credits what comes back.
    """

    def __init__(self, world: World, system_id: str) -> None:
        location = world.layout.locations_of(system_id)[0]
        self.is_integrated = True
        self.warehouse = int(location.source_location_id)
        self._location_id = location.location_id
        self.stock = StockBook(world.opening_levels(system_id))
        self.strangers = {each.number: each.on_hand for each in world.catalogue.strangers(system_id)}
        self.locations = self._zones(location.name, world.now())
        self._by_id = {row["id"]: row for row in self.locations}
        made = written(world.now() - timedelta(days=200))
        self.masters = Masters(world.layout, made, world.now())
        self.products: dict[int, Row] = {}
        self.skus: dict[int, str] = {}
        for product in world.catalogue.carried(system_id):
            known = world.catalogue.identity(system_id, product.sku)
            self.skus[product.number] = product.sku
            self._stock_up(product.number, known.code, known.gtin, product.title, product.category, made)
        for stranger in world.catalogue.strangers(system_id):
            self._stock_up(stranger.number, stranger.code, stranger.gtin, stranger.title, "Other", made)
        self.products |= self.masters.services
        self._numbers = {sku: FIRST_PRODUCT + number for number, sku in self.skus.items()}
        self.moves: list[Row] = []
        self._ids = itertools.count(1)
        number = self._next
        self.sales = Sales(number, self.warehouse)
        self.sale_api = SaleApi(
            number, self.sales, self.masters, self.products, {self.warehouse: self._by_id[self.warehouse]}
        )
        self.invoices = Invoices(number, self.masters, self.products)
        self.returns = Returns(number, self.sales, self.masters, self._product, self.warehouse)

    def held(self, product: int, location: int) -> float:
        """What a location holds of a product: all of it is put away, so the zones that wait hold nothing."""
        number = product - FIRST_PRODUCT
        if location != self.warehouse or product in self.masters.services:
            return 0.0
        if number in self.strangers:
            return float(self.strangers[number])
        return float(self.stock.on_hand(self.skus[number], self._location_id))

    def record(self, entry: Entry) -> None:
        """Write one entry."""
        changes = self.stock.apply(entry)
        match entry:
            case StockMoved():
                outside = _SUPPLIER if entry.kind is MovementKind.RECEIPT else _LOST_AND_FOUND
                for change in changes:
                    self._move(entry, change.sku, change.delta, outside)
            case StockCounted():
                for change in changes:
                    self._move(entry, change.sku, change.delta, _LOST_AND_FOUND)
            case OrderEntered():
                self._enter(entry)
            case OrderShipped():
                self._ship(entry)
            case OrderCancelled():
                self._cancel(entry)
            case OrderReturned():
                self._take_back(entry)

    def _next(self) -> int:
        return next(self._ids)

    def _product(self, sku: str) -> Row:
        return self.products[self._numbers[sku]]

    def _enter(self, entry: OrderEntered) -> None:
        """The retailer's integration enters a channel's order, people one of wholesale."""
        order, at = entry.order, entry.recorded_at
        key: Key = (order.channel_id, order.name)
        is_copy = order.channel_id is not None
        if self.sales.named(key) is not None or (is_copy and not self.is_integrated):
            return
        party = self.masters.channels[order.channel_id]
        money = line_amounts(order)
        code = order.currency if order.money is None else order.money.currencies.shop
        row: Row = {
            "company": COMPANY, "number": None, "reference": order.name if is_copy else None, "state": "processing",
            "shipment_state": "waiting", "warehouse": self.warehouse, "sale_date": day(order.placed_at),
            "create_date": written(at), "write_date": None, "web_id": order.name if is_copy else None,
            "web_shop": self.masters.shop(order.channel_id), "party": self.masters.parties[party],
            "invoice_party": None, "invoice_address": self.masters.address_of(party), "shipment_address": None,
            "currency": self.masters.currency(code), "payment_term": None, "origin": None, "_key": key,
            "_tax": sum((money[line.line_id].tax for line in order.lines), Decimal(0)),
        }  # fmt: skip
        lines = []
        for content in order.lines:
            number = self._numbers.get(content.sku or "")
            if content.sku is not None and number is None:
                continue
            product = self.products[number or FIRST_CHARGE + 1 + CHARGES.index("FEE")]
            lines.append(self._line(product, content.quantity, money[content.line_id], content.line_id))
        for charge in charges(order):
            product = self.products[FIRST_CHARGE + 1 + CHARGES.index(charge.code)]
            lines.append(self._line(product, 1, charge.money, f"charge {charge.code}"))
            row["_tax"] += charge.money.tax
        made = self.sales.add(row, lines)
        made["number"] = order.name if not is_copy else f"T{made['id']}"
        self.sales.process(made)

    def _line(self, product: Row, quantity: int, money: LineAmount, name: str) -> Row:
        price = money.rate.quantize(Decimal("0.0001"), ROUND_HALF_UP)
        return self.sales.line(product, float(quantity), price, money.amount, name)

    def _ship(self, entry: OrderShipped) -> None:
        key: Key = (entry.channel_id, entry.order_name)
        number = self._next()
        at = written(entry.recorded_at)
        shipment: Row = {
            "__name__": "stock.shipment.out", "id": number, "number": f"CS{number}", "company": COMPANY,
            "reference": entry.tracking_number, "state": "done", "warehouse": self.warehouse,
            "effective_date": day(entry.happened_at), "create_date": at, "write_date": None,
        }  # fmt: skip
        self.sales.shipments[number] = shipment
        moved: list[tuple[LineQuantity, Row]] = []
        for part in entry.lines:
            if part.sku is not None:
                move = self._move(entry, part.sku, -part.quantity, _CUSTOMER, self.sales.named(key))
                move["shipment"], move["_shipment"] = f"stock.shipment.out,{number}", shipment
                moved.append((part, move))
        self.sales.ship(key, shipment, moved)

    def _cancel(self, entry: OrderCancelled) -> None:
        sale = self.sales.named((entry.channel_id, entry.order_name))
        if sale is None or (entry.channel_id is not None and not self.is_integrated):
            return
        self.sales.give_up(sale, entry.lines, self._numbers)
        if entry.moves_timestamp:
            sale["write_date"] = written(entry.recorded_at)
        if entry.is_whole:
            sale["state"] = "cancelled"
        else:
            self.sales.plan(sale)

    def _take_back(self, entry: OrderReturned) -> None:
        original = self.sales.named((entry.channel_id, entry.order_name))
        sale = self.returns.sell_back(entry, original)
        moves = []
        for line in entry.lines:
            if line.sku is not None:
                incoming = self._move(entry, line.sku, line.quantity, _CUSTOMER, sale, inside=self.warehouse + 1)
                onward = self._move_within(entry, line.sku, line.quantity)
                moves.append((incoming, onward))
        self.returns.receive(entry, sale, moves)
        worth = [
            (line["product"], -Decimal(str(line["quantity"])), -number_of(line["amount"])) for line in sale["lines"]
        ]
        if self.is_integrated and original is not None and any(amount for *_, amount in worth):
            self.invoices.credit(sale, worth, entry.recorded_at)

    def _move(
        self, entry: Entry, sku: str, delta: int, outside: int, sale: Row | None = None, *, inside: int | None = None
    ) -> Row:
        place = self.warehouse + 3 if inside is None else inside
        move = self._moved(entry, sku, abs(delta), (outside, place) if delta > 0 else (place, outside), sale)
        if delta:
            self.moves.append(move)
        return move

    def _move_within(self, entry: Entry, sku: str, units: int) -> Row:
        """From the input zone to the shelf."""
        move = self._moved(entry, sku, units, (self.warehouse + 1, self.warehouse + 3), None)
        self.moves.append(move)
        return move

    def _moved(self, entry: Entry, sku: str, units: int, ends: Sequence[int], sale: Row | None) -> Row:
        return {
            "__name__": "stock.move", "id": self._next(), "company": COMPANY, "state": "done",
            "quantity": float(units), "internal_quantity": float(units), "unit": UNIT, "product": self._product(sku),
            "from_location": self._by_id[ends[0]], "to_location": self._by_id[ends[1]],
            "effective_date": day(entry.happened_at), "planned_date": day(entry.happened_at),
            "create_date": written(entry.recorded_at), "write_date": None, "origin": None, "shipment": None,
            "_shipment": None, "sale": sale,
        }  # fmt: skip

    def _stock_up(self, number: int, code: str, gtin: str | None, title: str, category: str, made: Row) -> None:
        identifiers = [{"__name__": "product.identifier", "id": number, "type": "ean", "code": gtin}]
        template = {
            "__name__": "product.template",
            "id": number,
            "name": title,
            "type": "goods",
            "active": True,
            "create_date": made,
            "write_date": None,
            "categories": [{"__name__": "product.category", "id": 1 + len(category), "name": category}],
            "default_uom": UNIT,
            "account_category": CATEGORIES[0],
        }
        self.products[FIRST_PRODUCT + number] = {
            "__name__": "product.product",
            "id": FIRST_PRODUCT + number,
            "code": code,
            "active": True,
            "create_date": made,
            "write_date": None,
            "identifiers": identifiers if gtin else [],
            "template": template,
            "default_uom": UNIT,
        }

    def _zones(self, name: str, now: datetime) -> list[Row]:
        first = self.warehouse
        zones: dict[int, tuple[str, str, int | None]] = {first: (name, "warehouse", None)}
        zones |= {first + 1: ("Input", "storage", first), first + 2: ("Output", "storage", first)}
        zones |= {first + 3: ("Storage", "storage", first)}
        zones |= {_CUSTOMER: ("Customer", "customer", None), _SUPPLIER: ("Supplier", "supplier", None)}
        zones |= {_LOST_AND_FOUND: ("Lost and Found", "lost_found", None)}
        return [
            {
                "__name__": "stock.location",
                "id": number,
                "name": title,
                "code": None,
                "type": kind,
                "active": True,
                "parent": parent,
                "input_location": first + 1 if number == first else None,
                "output_location": first + 2 if number == first else None,
                "storage_location": first + 3 if number == first else None,
                "create_date": written(now - timedelta(days=300)),
                "write_date": None,
            }
            for number, (title, kind, parent) in zones.items()
        ]
