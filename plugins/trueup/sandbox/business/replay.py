"""Turns real transactions into a world: its products, enough stock for them, and what people do when.

Invoices with a customer are orders at the main shop (from the home country) or the outlet (from abroad),
those without are sales at a store's till, cancellations take goods back or stop them from being sent, and
write-offs break goods in the main warehouse. The first trading day of the file is the world's first day, the
next the second, and so on: days without trade are left out.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from itertools import groupby
from zlib import crc32

from trueup.sandbox.business.transactions import LineKind, Row
from trueup.sandbox.world.catalogue import Catalogue, Identity, Product
from trueup.sandbox.world.clock import HOUR
from trueup.sandbox.world.intents import (
    Delivery,
    Intent,
    Mishap,
    NightlyCopy,
    Reversal,
    ShopVisit,
    TillVisit,
    Wanted,
)
from trueup.sandbox.world.products import CATEGORIES, gtin13

HOME_COUNTRY = "United Kingdom"
# Of the demo retailer, whose world a replay is.
MAIN_WAREHOUSE = "WH-EAST"
STORES = ("STORE-1", "STORE-2", "STORE-3")
_LORRY_AT = 6 * HOUR + 15 * 60  # before anybody trades
_AHEAD_DAYS = 2  # goods are there so many days before they are wanted
_GENEROUS = 3


class Replay:
    """The days of a file. `rows` in order of time, as `read_transactions` gives them."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._days: dict[int, list[Row]] = defaultdict(list)
        numbers: dict[date, int] = {}
        for row in rows:
            number = numbers.setdefault(row.at.date(), len(numbers))
            self._days[number].append(row)
        self.days = len(numbers)
        self._needs = {number: _needs(day) for number, day in self._days.items()}

    def day(self, number: int, midnight: int) -> list[Intent]:
        """Everything that happens on the world's day `number`, whose midnight is that second."""
        copy = NightlyCopy(midnight + 2 * HOUR, f"copy-{number}")
        intents: list[Intent] = [copy, *self._lorries(number, midnight)]
        for invoice, group in _invoices(self._days.get(number, ())):
            intents += _intents(invoice, group, midnight)
        return intents

    def opening_stock(self) -> dict[tuple[str, str], int]:
        """What has to lie where at the start: what the first days want, three times over."""
        stock: Counter[tuple[str, str]] = Counter()
        for number in range(_AHEAD_DAYS):
            stock += self._needs.get(number, Counter())
        locations = {key for needs in self._needs.values() for key in needs}
        return {key: stock[key] * _GENEROUS + 30 for key in sorted(locations)}

    def _lorries(self, number: int, midnight: int) -> list[Intent]:
        by_location: dict[str, list[tuple[str, int]]] = defaultdict(list)
        for (sku, location_id), units in sorted(self._needs.get(number + _AHEAD_DAYS, Counter()).items()):
            by_location[location_id].append((sku, units * _GENEROUS))
        return [
            Delivery(midnight + _LORRY_AT, f"d-{location_id}-{number}", location_id, tuple(lines))
            for location_id, lines in by_location.items()
        ]


def replay_catalogue(rows: Iterable[Row]) -> Catalogue:
    """The products that the file's stock codes name, in one letter case, and how systems spell them."""
    titles: dict[str, Counter[str]] = defaultdict(Counter)
    prices: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if row.sku is not None:
            titles[row.sku][row.description or ""] += row.description is not None
            prices[row.sku].append(row.price)
    products = []
    categories = list(CATEGORIES)
    for number, sku in enumerate(sorted(titles), start=1):
        title = titles[sku].most_common(1)[0][0] or f"Product {sku}"
        price = sorted(prices[sku])[len(prices[sku]) // 2]
        category = categories[crc32(sku.encode()) % len(categories)]
        products.append(Product(number, sku, title, category, gtin13(number), round(price * 100)))
    identities = {
        ("shipbob", product.sku): Identity(f"SB{10_000 + product.number * 7}", product.gtin)
        for product in products
        if product.number % 16 == 5
    }
    identities |= {
        ("square", product.sku): Identity(f" {product.sku.lower()}", product.gtin)
        for product in products
        if product.number % 20 == 7
    }
    stored = frozenset(product.sku for product in products if product.number % 2)
    return Catalogue(products, identities, (), (), {"shipbob": stored})


def stock_second_warehouse(catalogue: Catalogue, dice: random.Random) -> dict[tuple[str, str], int]:
    """Some of everything that the second warehouse carries."""
    return {(product.sku, "WH-WEST"): dice.randint(5, 40) for product in catalogue.carried("shipbob")}


def channel_of(country: str) -> str:
    """Home customers buy at the main shop, others at the outlet."""
    return "shopify_main" if country == HOME_COUNTRY else "shopify_outlet"


def store_of(invoice: str) -> str:
    """The store at whose till an invoice without a customer was rung up; always the same one."""
    return STORES[crc32(invoice.encode()) % len(STORES)]


def _location_of(row: Row) -> str | None:
    """Where the goods of a line come from; None where none are taken."""
    match row.kind:
        case LineKind.SHOP | LineKind.WRITE_OFF:
            return MAIN_WAREHOUSE
        case LineKind.TILL:
            return store_of(row.invoice)
        case _:
            return None


def _needs(rows: Iterable[Row]) -> "Counter[tuple[str, str]]":
    needs: Counter[tuple[str, str]] = Counter()
    for row in rows:
        location = _location_of(row)
        if location is not None and row.sku is not None:
            # The outlet offers half of what there is.
            factor = 2 if row.kind is LineKind.SHOP and row.country != HOME_COUNTRY else 1
            needs[row.sku, location] += abs(row.quantity) * factor
    return needs


def _invoices(rows: Iterable[Row]) -> list[tuple[str, list[Row]]]:
    """The rows by invoice, an invoice at the time of its first line."""
    by_invoice = sorted(rows, key=lambda row: row.invoice)
    groups = [(invoice, list(group)) for invoice, group in groupby(by_invoice, key=lambda row: row.invoice)]
    return sorted(groups, key=lambda pair: (pair[1][0].at, pair[0]))


def _intents(invoice: str, rows: Sequence[Row], midnight: int) -> list[Intent]:
    first = rows[0]
    at = midnight + first.at.hour * HOUR + first.at.minute * 60 + first.at.second
    kinds: dict[LineKind, list[Row]] = defaultdict(list)
    for row in rows:
        kinds[row.kind].append(row)
    build: Mapping[LineKind, Callable[[Sequence[Row]], list[Intent]]] = {
        LineKind.SHOP: lambda group: [
            ShopVisit(
                at, f"r{invoice}", channel_of(first.country), _wanted(group), first.country, invoice, first.customer
            )
        ],
        LineKind.TILL: lambda group: [TillVisit(at, f"r{invoice}", store_of(invoice), _wanted(group), invoice)],
        LineKind.CANCELLATION: lambda group: [_reversal(at, invoice, group)],
        LineKind.WRITE_OFF: lambda group: [
            Mishap(at, f"r{invoice}-{index}", MAIN_WAREHOUSE, row.sku, -row.quantity, is_noticed=True, memo=_memo(row))
            for index, row in enumerate(group)
            if row.sku is not None
        ],
    }
    return [intent for kind, group in kinds.items() if kind in build for intent in build[kind](group)]


def _reversal(at: int, invoice: str, rows: Sequence[Row]) -> Reversal:
    first = rows[0]
    is_shop = first.customer is not None
    return Reversal(
        at,
        f"r{invoice}",
        channel_id=channel_of(first.country) if is_shop else None,
        location_id=MAIN_WAREHOUSE if is_shop else store_of(invoice),
        customer=first.customer,
        lines=_wanted(rows),
        invoice=invoice,
    )


def _wanted(rows: Iterable[Row]) -> tuple[Wanted, ...]:
    return tuple(
        Wanted(row.sku, row.code, row.description or "", abs(row.quantity), round(row.price * 100)) for row in rows
    )


def _memo(row: Row) -> str:
    return row.description or "write-off"
