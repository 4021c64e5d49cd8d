"""One Tryton database's books: one warehouse with its zones, what it holds, every move, and the sales it ships."""

import itertools
from datetime import datetime, timedelta
from typing import Any, Final

from trueup.sandbox.vendors.tryton.records import day, written
from trueup.sandbox.world.books import StockBook
from trueup.sandbox.world.entries import (
    Entry,
    MovementKind,
    OrderCancelled,
    OrderEntered,
    OrderReturned,
    OrderShipped,
    StockCounted,
    StockMoved,
)
from trueup.sandbox.world.world import World

COMPANY: Final = 1
_FIRST_PRODUCT: Final = 1000
_CUSTOMER, _SUPPLIER, _LOST_AND_FOUND = 7, 8, 9
_UNIT: Final = {"__name__": "product.uom", "id": 1, "factor": 1.0}


class TrytonBooks:
    """Every call is under the world's lock. Rows are whole records; what is shown of them is the API's."""

    def __init__(self, world: World, system_id: str) -> None:
        location = world.layout.locations_of(system_id)[0]
        self.warehouse = int(location.source_location_id)
        self._location_id = location.location_id
        self.stock = StockBook(world.opening_levels(system_id))
        self.strangers = {each.number: each.on_hand for each in world.catalogue.strangers(system_id)}
        self.locations = self._zones(location.name, world.now())
        self._by_id = {row["id"]: row for row in self.locations}
        made = written(world.now() - timedelta(days=200))
        self.products: dict[int, dict[str, Any]] = {}
        self.skus: dict[int, str] = {}
        for product in world.catalogue.carried(system_id):
            known = world.catalogue.identity(system_id, product.sku)
            self.skus[product.number] = product.sku
            self._stock_up(product.number, known.code, known.gtin, product.title, product.category, made)
        for stranger in world.catalogue.strangers(system_id):
            self._stock_up(stranger.number, stranger.code, stranger.gtin, stranger.title, "Other", made)
        self._numbers = {sku: number for number, sku in self.skus.items()}
        self.moves: list[dict[str, Any]] = []
        self.sales: dict[str, dict[str, Any]] = {}
        self._ids = itertools.count(1)
        self._lines: dict[tuple[str, str], dict[str, Any]] = {}

    def held(self, product: int, location: int) -> float:
        """What a location holds of a product: all of it is put away, so the zones that wait hold nothing."""
        number = product - _FIRST_PRODUCT
        if location != self.warehouse:
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
                for line in entry.lines:
                    if line.sku is not None:
                        self._move(entry, line.sku, line.quantity, _CUSTOMER, self.sales.get(entry.order_name))

    def _enter(self, entry: OrderEntered) -> None:
        order, at = entry.order, entry.recorded_at
        if order.name in self.sales:
            return
        sale = self.sales[order.name] = {
            "__name__": "sale.sale",
            "id": next(self._ids),
            "company": COMPANY,
            "number": f"T{len(self.sales) + 1}",
            "reference": order.name,
            "state": "processing",
            "shipment_state": "waiting",
            "warehouse": self.warehouse,
            "sale_date": day(order.placed_at),
            "create_date": written(at),
            "write_date": None,
            "web_id": order.name,
            "web_shop": {"__name__": "web.shop", "id": 1, "name": order.channel_id},
            "shipments": [],
            "lines": [],
        }
        for content in order.lines:
            if content.sku is None or content.sku not in self._numbers:
                continue
            line = self._lines[order.name, content.line_id] = {
                "__name__": "sale.line",
                "id": next(self._ids),
                "type": "line",
                "quantity": float(content.quantity),
                "warehouse": self.warehouse,
                "moves_ignored": [],
                "unit": _UNIT,
                "product": self.products[_FIRST_PRODUCT + self._numbers[content.sku]],
                "moves": [],
            }
            sale["lines"].append(line)

    def _ship(self, entry: OrderShipped) -> None:
        sale = self.sales.get(entry.order_name)
        for part in entry.lines:
            if part.sku is None:
                continue
            move = self._move(entry, part.sku, -part.quantity, _CUSTOMER, sale)
            if (line := self._lines.get((entry.order_name, part.line_id))) is not None:
                line["moves"].append(move)
        if sale is not None:
            shipment = {"__name__": "stock.shipment.out", "id": next(self._ids), "state": "done"}
            sale["shipments"].append(shipment)
            self._close_where_done(sale)

    def _cancel(self, entry: OrderCancelled) -> None:
        sale = self.sales.get(entry.order_name)
        if sale is None:
            return
        for part in entry.lines:
            if (line := self._lines.get((entry.order_name, part.line_id))) is not None:
                move = {"__name__": "stock.move", "id": next(self._ids), "state": "cancelled", "unit": _UNIT}
                line["moves"].append({**move, "quantity": float(part.quantity)})
                line["moves_ignored"].append(move["id"])
        if entry.moves_timestamp:
            sale["write_date"] = written(entry.recorded_at)
        if entry.is_whole:
            sale["state"] = "cancelled"
        else:
            self._close_where_done(sale)

    def _close_where_done(self, sale: dict[str, Any]) -> None:
        # The sale's own dates stay as they are: it is its shipment that was written.
        if all(sum(move["quantity"] for move in line["moves"]) >= line["quantity"] for line in sale["lines"]):
            sale["state"], sale["shipment_state"] = "done", "sent"

    def _move(
        self, entry: Entry, sku: str, delta: int, outside: int, sale: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        inside = self.warehouse + 3
        ends = (outside, inside) if delta > 0 else (inside, outside)
        move = {
            "__name__": "stock.move",
            "id": next(self._ids),
            "company": COMPANY,
            "state": "done",
            "quantity": float(abs(delta)),
            "internal_quantity": float(abs(delta)),
            "unit": _UNIT,
            "product": self.products[_FIRST_PRODUCT + self._numbers[sku]],
            "from_location": self._by_id[ends[0]],
            "to_location": self._by_id[ends[1]],
            "effective_date": day(entry.happened_at),
            "planned_date": day(entry.happened_at),
            "create_date": written(entry.recorded_at),
            "write_date": None,
            "origin": None,
            "shipment": None,
            "sale": sale,
        }
        if delta:
            self.moves.append(move)
        return move

    def _stock_up(
        self, number: int, code: str, gtin: str | None, title: str, category: str, made: dict[str, Any]
    ) -> None:
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
        }
        self.products[_FIRST_PRODUCT + number] = {
            "__name__": "product.product",
            "id": _FIRST_PRODUCT + number,
            "code": code,
            "active": True,
            "create_date": made,
            "write_date": None,
            "identifiers": identifiers if gtin else [],
            "template": template,
            "default_uom": _UNIT,
        }

    def _zones(self, name: str, now: datetime) -> list[dict[str, Any]]:
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
