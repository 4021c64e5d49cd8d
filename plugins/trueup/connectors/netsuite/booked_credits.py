"""What NetSuite has about refunds: credit memos by their external id, the orders and returns they are of, open periods.

By SuiteQL, whose amounts are exact texts. A memo is taken for the one that was to be made where its order's name, its
currency, its total and each line's item, units and amount are the same.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from trueup.connectors.credits import Credit
from trueup.connectors.http.client import HttpClient
from trueup.connectors.netsuite.account import SYSTEM, ask, rows_of
from trueup.connectors.netsuite.booked_orders import LINES, is_field, literal
from trueup.connectors.netsuite.queries import NOW
from trueup.connectors.reading import as_of, started_at
from trueup.domain.errors import Transient

_BASE_PERIODS: Final = "isyear = 'F' AND isquarter = 'F' AND isadjust = 'F'"
_RECEIVED: Final = "('E', 'F')"
"""Statuses of a return authorisation of which something was received and is to be credited."""


@dataclass(slots=True)
class FoundCredit:
    """One credit memo as it is. `lines`: (item, units, amount) of each line in its order, tax lines left out."""

    number: str
    external_id: str
    name: str
    title: str
    symbol: str
    total: Decimal
    lines: list[tuple[str, Decimal, Decimal]] = field(default_factory=list)
    tax: Decimal = Decimal(0)

    def content(self) -> dict[str, Any]:
        """What it shows, for a person who has to compare."""
        return {
            "number": self.title,
            "order_name": self.name,
            "currency": self.symbol,
            "total": str(self.total),
            "credited_lines": [
                {"item_ref": item, "quantity": str(units), "amount": str(amount)} for item, units, amount in self.lines
            ],
        }

    def difference(self, credit: Credit) -> str | None:
        """What is otherwise than it was to be credited; None where nothing is.

        A line of goods may stand on its product or on the item that goods are credited on: who asks again does not
        know whether the memo was made from a return.
        """
        if self.name != credit.order_name:
            return f"it is of order {self.name}, not of {credit.order_name}"
        if self.symbol != credit.symbol:
            return f"it is in {self.symbol}, not in {credit.symbol}"
        wanted = [({line.item, line.sku_item or line.item}, line) for line in credit.lines]
        found = list(self.lines)
        for items, line in wanted:
            same = next(
                (each for each in found if each[0] in items and each[1:] == (Decimal(line.quantity), line.amount)), None
            )
            if same is None:
                return f"it has no {line.component} of {line.quantity} for {line.amount} {self.symbol}"
            found.remove(same)
        if found:
            return f"it has {len(self.lines)} lines, not {len(credit.lines)}"
        if self.total != credit.total:
            added = f": {SYSTEM} added {self.tax} of tax of its own" if self.tax else ""
            return f"total is {self.total} {self.symbol}, not {credit.total}{added}"
        return None


@dataclass(frozen=True, slots=True)
class BookedOrder:
    """The order of a refund: its customer, and the currency that it is booked in."""

    number: str
    entity: str
    symbol: str


@dataclass(slots=True)
class OpenReturn:
    """A return authorisation with goods to be credited. `units` by item, `lines`: the number of the item's line."""

    number: str
    units: Counter[str] = field(default_factory=Counter)
    lines: dict[str, int] = field(default_factory=dict)
    is_plain: bool = True


@dataclass(frozen=True, slots=True)
class FoundCredits:
    """What a look-up found, and when that was true. `is_whole` False: some of it could not be read."""

    credits: Sequence[FoundCredit]
    as_of: datetime
    is_whole: bool

    def own(self, external_id: str) -> FoundCredit | None:
        """The memo of that external id; NetSuite tells no case apart in them."""
        return next((each for each in self.credits if each.external_id.lower() == external_id.lower()), None)


class BookedCredits:
    """Looks up. `channel_field`: the body field that names the channel, empty where there is none.

    `currency`: that of all documents of an account that keeps no other; empty where they name theirs. Every method
    raises `Transient` where it gets no answer.
    """

    def __init__(self, client: HttpClient, channel_field: str, currency: str) -> None:
        self._client = client
        self._channel = channel_field if is_field(channel_field) else ""
        self._symbol = f"'{currency}' AS symbol" if currency else "c.symbol AS symbol"
        self._source = LINES if currency else f"{LINES} JOIN currency c ON c.id = t.currency"

    def find(self, external_ids: Collection[str]) -> FoundCredits:
        """Every credit memo with one of the external ids."""
        at_the_least = started_at(self._client, lambda: ask(self._client, NOW, limit=1))
        wanted = ", ".join(literal(each) for each in sorted(external_ids))
        columns = (
            "tl.uniquekey AS uniquekey, t.id AS id, t.externalid AS externalid, t.otherrefnum AS otherrefnum,"
            f" t.tranid AS tranid, t.foreigntotal AS foreigntotal, {self._symbol}, tl.item AS item,"
            " tl.taxline AS taxline, NVL(tl.quantity, 0) AS quantity, NVL(tl.foreignamount, 0) AS foreignamount"
        )
        found: dict[str, FoundCredit] = {}
        moment, is_whole = at_the_least, True
        condition = f"t.type = 'CustCred' AND tl.mainline = 'F' AND t.externalid IN ({wanted})"
        for answer, row in self._rows(columns, condition):
            moment = as_of(answer, at_the_least) if not found and is_whole else moment
            is_whole = _take(found, row) and is_whole
        return FoundCredits(list(found.values()), moment, is_whole)

    def order(self, credit: Credit) -> BookedOrder | None:
        """The order that the channel calls so, not given up; None where none is booked, or several are."""
        channel = f" AND t.{self._channel} = {literal(credit.channel)}" if self._channel else ""
        columns = f"tl.uniquekey AS uniquekey, t.id AS id, t.entity AS entity, {self._symbol}"
        condition = (
            f"t.type = 'SalesOrd' AND tl.mainline = 'T' AND t.status <> 'C'"
            f" AND t.otherrefnum = {literal(credit.order_name)}{channel}"
        )
        rows = [row for _, row in self._rows(columns, condition)]
        if len(rows) != 1:
            return None
        texts = [str(rows[0].get(name, "")) for name in ("id", "entity", "symbol")]
        return BookedOrder(*texts) if all(texts) else None

    def open_return(self, credit: Credit, order: BookedOrder) -> OpenReturn | None:
        """A return of the order whose uncredited goods are exactly those of the credit; None where there is none."""
        wanted = Counter[str]()
        for line in credit.lines:
            if line.sku_item is not None:
                wanted[line.sku_item] += line.quantity
        if not wanted or len(wanted) < sum(line.sku_item is not None for line in credit.lines):
            return None
        columns = (
            "tl.uniquekey AS uniquekey, t.id AS id, tl.id AS line, tl.item AS item, tl.taxline AS taxline,"
            " NVL(tl.quantityshiprecv, 0) AS received, NVL(tl.quantitybilled, 0) AS credited"
        )
        condition = (
            f"t.type = 'RtnAuth' AND tl.mainline = 'F' AND t.status IN {_RECEIVED}"
            f" AND tl.createdfrom = {int(order.number)}"
        )
        returns: dict[str, OpenReturn] = {}
        for _, row in self._rows(columns, condition):
            _take_return(returns, row)
        return next((each for each in returns.values() if each.is_plain and +each.units == wanted), None)

    def posting_day(self, day: date) -> date | None:
        """The day itself, or the first day after it whose period takes postings; None where there is none yet."""
        text = (
            "SELECT TO_CHAR(startdate, 'YYYY-MM-DD') AS startdate, closed, alllocked, arlocked"  # noqa: S608 - a day
            " FROM accountingperiod"
            f" WHERE {_BASE_PERIODS} AND enddate >= TO_DATE('{day.isoformat()}', 'YYYY-MM-DD') ORDER BY startdate"
        )
        rows, _ = rows_of(ask(self._client, text))
        for row in rows:
            flags = [row.get(name) for name in ("closed", "alllocked", "arlocked")] if isinstance(row, Mapping) else []
            start = row.get("startdate") if isinstance(row, Mapping) else None
            if not isinstance(start, str) or any(flag not in ("T", "F") for flag in flags):
                raise Transient(f"{SYSTEM}: an accounting period could not be read; ask again")
            if "T" not in flags:
                return max(day, date.fromisoformat(start))
        return None

    def _rows(self, columns: str, condition: str) -> Iterator[tuple[Any, Mapping[str, Any]]]:
        after = 0
        while True:
            answer = ask(
                self._client,
                f"SELECT {columns} FROM {self._source} WHERE {condition} AND tl.uniquekey > {after}"  # noqa: S608 - literals
                " ORDER BY tl.uniquekey",
            )
            rows, has_more = rows_of(answer)
            last = after
            for row in rows:
                key = row.get("uniquekey") if isinstance(row, Mapping) else None
                if not isinstance(row, Mapping) or not isinstance(key, str) or not key.isdecimal():
                    raise Transient(f"{SYSTEM}: a row of a document could not be read; look it up again")
                last = max(last, int(key))
                yield answer, row
            if not has_more:
                return
            if last <= after:
                raise Transient(f"{SYSTEM}: a page of documents leads nowhere; look them up again")
            after = last


def _take(found: dict[str, FoundCredit], row: Mapping[str, Any]) -> bool:
    """Add the row to its memo; False where it cannot be read."""
    texts = {name: value for name, value in row.items() if isinstance(value, str)}
    try:
        amount = Decimal(texts["foreignamount"])
        memo = found.get(texts["id"]) or FoundCredit(
            texts["id"],
            texts["externalid"],
            texts.get("otherrefnum", ""),
            texts.get("tranid", texts["id"]),
            texts["symbol"],
            -Decimal(texts["foreigntotal"]) + 0,
        )
        if texts["taxline"] == "T":
            memo.tax += amount
        else:
            memo.lines.append((texts["item"], abs(Decimal(texts["quantity"])), amount))
    except (KeyError, InvalidOperation):
        return False
    found[memo.number] = memo
    return True


def _take_return(returns: dict[str, OpenReturn], row: Mapping[str, Any]) -> None:
    texts = {name: value for name, value in row.items() if isinstance(value, str)}
    try:
        each = returns.setdefault(texts["id"], OpenReturn(texts["id"]))
        if texts["taxline"] == "T":
            # NetSuite would credit its own tax beside the channel's.
            each.is_plain = False
            return
        units = int(Decimal(texts["received"])) - int(Decimal(texts["credited"]))
        item, line = texts["item"], int(texts["line"])
    except (KeyError, ValueError, InvalidOperation) as error:
        raise Transient(f"{SYSTEM}: a line of a return could not be read; look it up again") from error
    if units and item in each.lines:
        each.is_plain = False
    if units:
        each.units[item] += units
        each.lines[item] = line
