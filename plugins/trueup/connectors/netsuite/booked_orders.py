"""The sales orders that NetSuite has, looked up by external id or by the channel's name for them.

By SuiteQL, whose amounts are exact texts. An order is taken for the one that was to be booked where its name, its
currency, its total and each line's item, units and amount are the same; where it ships from, and for whom, people may
change.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from trueup.connectors.bookings import Booking, Currency
from trueup.connectors.http.client import HttpClient
from trueup.connectors.netsuite.account import SYSTEM, ask, rows_of
from trueup.connectors.netsuite.queries import NOW
from trueup.connectors.reading import as_of, started_at
from trueup.domain.currencies import digits_of
from trueup.domain.errors import Transient

_COLUMNS = (
    "tl.uniquekey AS uniquekey, t.id AS id, t.externalid AS externalid, t.otherrefnum AS otherrefnum,"
    " t.tranid AS tranid, t.status AS status, t.foreigntotal AS foreigntotal, tl.id AS line, tl.item AS item,"
    " tl.taxline AS taxline, NVL(tl.quantity, 0) AS quantity, tl.quantityshiprecv AS quantityshiprecv,"
    " tl.isclosed AS isclosed, NVL(tl.foreignamount, 0) AS foreignamount"
)
LINES: Final = "transaction t JOIN transactionline tl ON tl.transaction = t.id"
_ENDED: Final[Mapping[str, str]] = {"C": "cancelled", "G": "billed", "H": "closed"}
"""What NetSuite calls the states in which an order is no longer open; the others tell how far it has come."""
_GIVEN_UP: Final = frozenset({"C", "H"})
_FIELD = re.compile(r"[a-z][a-z0-9_]{0,60}")


@dataclass(frozen=True, slots=True)
class FoundLine:
    """One line of an order as it is. `amount` with the order's sign; `is_tax`: of NetSuite's own taxes."""

    number: int
    item: str
    quantity: Decimal
    shipped: Decimal
    amount: Decimal
    is_closed: bool
    is_tax: bool


@dataclass(slots=True)
class FoundOrder:
    """One order as it is."""

    number: str
    external_id: str
    name: str
    channel: str
    title: str
    status: str
    symbol: str
    total: Decimal
    lines: list[FoundLine] = field(default_factory=list)

    @property
    def is_shipped(self) -> bool:
        """Whether anything of it has left."""
        return any(line.shipped for line in self.lines)

    @property
    def state(self) -> str:
        """open, billed, closed or cancelled; closed with nothing shipped is cancelled, whoever closed it."""
        if self.status in _GIVEN_UP and not self.is_shipped:
            return "cancelled"
        return _ENDED.get(self.status, "open")

    def content(self) -> dict[str, Any]:
        """What it shows, for a person who has to compare."""
        return {
            "number": self.title,
            "order_name": self.name,
            "currency": self.symbol,
            "total": str(self.total),
            "booked_lines": [
                {"item_ref": line.item, "quantity": str(line.quantity), "amount": str(line.amount)}
                for line in self.lines
            ],
        }

    def difference(self, booking: Booking) -> str | None:
        """What is otherwise than it was to be booked, the component first; None where nothing is."""
        if self.name != booking.order_name:
            return f"it is order {self.name}, not {booking.order_name}"
        if self.symbol != booking.symbol:
            return f"it is in {self.symbol}, not in {booking.symbol}"
        own = [line for line in self.lines if not line.is_tax]
        for wanted, line in zip(booking.lines, own, strict=False):
            if line.item != wanted.item or line.quantity != wanted.quantity:
                shown, expected = f"{line.quantity} of item {line.item}", f"{wanted.quantity} of {wanted.item}"
                return f"{wanted.component} has {shown}, not {expected}"
            if line.amount != wanted.amount:
                return f"{wanted.component} is {line.amount} {self.symbol}, not {wanted.amount}"
        if len(own) != len(booking.lines):
            return f"it has {len(own)} lines, not {len(booking.lines)}"
        if self.total != booking.total:
            taxes = sum((line.amount for line in self.lines if line.is_tax), Decimal(0))
            added = f": {SYSTEM} added {taxes} of tax of its own" if taxes else ""
            return f"total is {self.total} {self.symbol}, not {booking.total}{added}"
        return None


@dataclass(frozen=True, slots=True)
class Found:
    """What a look-up found, and when that was true. `is_whole` False: some of it could not be read."""

    orders: Sequence[FoundOrder]
    as_of: datetime
    is_whole: bool

    def own(self, external_id: str) -> FoundOrder | None:
        """The order of that external id; NetSuite tells no case apart in them."""
        return next((each for each in self.orders if each.external_id.lower() == external_id.lower()), None)

    def twin(self, booking: Booking) -> FoundOrder | None:
        """The same order of the same channel, booked by somebody else and not given up."""
        for each in self.orders:
            is_other = each.external_id.lower() != booking.external_id.lower()
            is_same = each.name == booking.order_name and each.channel in ("", booking.channel)
            if is_other and is_same and not (each.status in _GIVEN_UP and not each.is_shipped):
                return each
        return None


class BookedOrders:
    """Looks orders up. `channel_field`: the body field that names the channel, empty where there is none.

    `currency`: that of all orders of an account that keeps no other; empty where orders name theirs.
    """

    def __init__(self, client: HttpClient, channel_field: str, currency: str) -> None:
        self._client = client
        channel = f", t.{channel_field} AS channel" if is_field(channel_field) else ""
        symbol = f", '{currency}' AS symbol" if currency else ", c.symbol AS symbol"
        self._source = LINES if currency else f"{LINES} JOIN currency c ON c.id = t.currency"
        self._columns = f"{_COLUMNS}{channel}{symbol}"

    def find(self, external_ids: Collection[str], names: Collection[str]) -> Found:
        """Every sales order with one of the external ids, or with one of the channel's names.

        Raises `Transient` where it gets no answer.
        """
        at_the_least = started_at(self._client, lambda: ask(self._client, NOW, limit=1))
        wanted = [
            f"t.{column} IN ({', '.join(literal(each) for each in sorted(values))})"
            for column, values in (("externalid", external_ids), ("otherrefnum", names))
            if values
        ]
        orders: dict[str, FoundOrder] = {}
        moment, after, is_whole = at_the_least, 0, True
        while True:
            answer = ask(
                self._client,
                f"SELECT {self._columns} FROM {self._source} WHERE t.type = 'SalesOrd' AND tl.mainline = 'F'"  # noqa: S608 - literals
                f" AND ({' OR '.join(wanted)}) AND tl.uniquekey > {after} ORDER BY tl.uniquekey",
            )
            rows, has_more = rows_of(answer)
            if not after:
                moment = as_of(answer, at_the_least)
            last = after
            for row in rows:
                key = _take(orders, row)
                is_whole = is_whole and key is not None
                last = max(last, key or 0)
            if not has_more:
                return Found(list(orders.values()), moment, is_whole)
            if last <= after:
                raise Transient(f"{SYSTEM}: a page of orders has no usable key to go on from; look them up again")
            after = last


def currencies(client: HttpClient, only: str) -> Mapping[str, Currency]:
    """The account's active currencies by symbol. `only`: the account keeps just this one.

    Raises `Transient` where they could not be read: a currency that is missed would have orders refused for good.
    """
    if only:
        return {only: Currency("", digits_of(only))}
    rows, _ = rows_of(
        ask(client, "SELECT id, symbol, currencyprecision FROM currency WHERE isinactive = 'F' ORDER BY id")
    )
    found: dict[str, Currency] = {}
    for row in rows:
        texts = [row.get(name) for name in ("id", "symbol", "currencyprecision")] if isinstance(row, Mapping) else []
        match texts:
            case [str(number), str(symbol), str(digits)] if digits.isdecimal():
                found[symbol] = Currency(number, int(digits))
            case _:
                raise Transient(f"{SYSTEM}: a currency could not be read; ask again")
    return found


def _take(orders: dict[str, FoundOrder], row: object) -> int | None:
    """Add the row to its order; its key, None where it cannot be read."""
    if not isinstance(row, Mapping):
        return None
    texts = {name: value for name, value in row.items() if isinstance(value, str)}
    try:
        line = FoundLine(
            int(texts["line"]),
            texts["item"],
            abs(Decimal(texts["quantity"])),
            abs(Decimal(texts.get("quantityshiprecv", "0"))),
            -Decimal(texts["foreignamount"]) + 0,
            texts["isclosed"] == "T",
            texts["taxline"] == "T",
        )
        order = orders.get(texts["id"]) or FoundOrder(
            texts["id"],
            texts.get("externalid", ""),
            texts.get("otherrefnum", ""),
            texts.get("channel", ""),
            texts.get("tranid", texts["id"]),
            texts["status"],
            texts["symbol"],
            Decimal(texts["foreigntotal"]),
        )
        key = int(texts["uniquekey"])
    except (KeyError, ValueError, InvalidOperation):
        return None
    if any(name in row and name not in texts for name in ("externalid", "otherrefnum", "channel")):
        return None
    orders.setdefault(order.number, order).lines.append(line)
    return key


def is_field(name: str) -> bool:
    """Whether a query may ask for a column of this name: it comes from a connection."""
    return _FIELD.fullmatch(name) is not None


def literal(text: str) -> str:
    """The text as SuiteQL takes it."""
    return "'" + text.replace("'", "''") + "'"


def closable(lines: Iterable[FoundLine]) -> list[FoundLine]:
    """The lines of which something is still to leave, or to be billed."""
    return [line for line in lines if _is_open(line)]


def _is_open(line: FoundLine) -> bool:
    return not line.is_tax and not line.is_closed and line.shipped < max(line.quantity, Decimal(1))
