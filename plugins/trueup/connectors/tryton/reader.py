"""Tryton (ERP): products, warehouses, their stock, every done move and the sales, over its REST interface.

Nothing is written: stock is Tryton's own word here. No timestamp of Tryton's can be trusted alone: `write_date` is
null until a record is first changed, and neither a product's nor a sale's moves when its stock or its shipment does.
So a poll asks for more than what says it changed (the levels of every product that a move touched, every open sale),
and the sweep reads everything. Levels tell no time: what moved in the second of its reading is read again, see
undated_levels.py.

Quantities are those of the warehouse, whole; what has been received but not yet put away is told apart as
`input_quantity`. Productions, drop shipments and supply requests are left out: they hold nothing that is sold from.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from trueup.connectors.http.answers import Answer
from trueup.connectors.http.client import HttpClient
from trueup.connectors.reading import (
    ReadClock,
    ids_of,
    key_of,
    page,
    polled_since,
    position,
    swept_since,
    windowed,
)
from trueup.connectors.state import SharedState
from trueup.connectors.tryton import rest
from trueup.connectors.undated_levels import Read, read_undated
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.domain.records import Cursor, Page, ReadMode, Record

_SYSTEM = "Tryton"
# write_date is when a transaction began; it is seen when that has ended.
_OVERLAP = timedelta(minutes=15)
_PAGE = 500
_ORDERS_A_PAGE = 100
_IDS_A_QUESTION = 500
_OPEN_STATES = ("confirmed", "processing")
_GOODS: rest.Domain = [["template.type", "=", "goods"]]

_LOCATION_FIELDS = (
    "name", "code", "type", "active", "parent", "input_location", "output_location", "storage_location",
)  # fmt: skip
_PRODUCT_FIELDS = (
    "code", "active", "write_date", "identifiers.type", "identifiers.code", "template.name", "template.type",
    "template.active", "template.write_date", "template.categories.name",
)  # fmt: skip
_MOVE_FIELDS = (
    "state", "quantity", "internal_quantity", "product.code", "from_location.type", "to_location.type",
    "effective_date", "planned_date", "create_date", "write_date", "origin", "shipment",
)  # fmt: skip
_ORDER_FIELDS = (
    "number", "reference", "state", "shipment_state", "warehouse", "sale_date", "create_date", "write_date",
    "shipments.state", "lines.type", "lines.quantity", "lines.warehouse", "lines.moves_ignored", "lines.unit.factor",
    "lines.product.code", "lines.product.default_uom.factor", "lines.moves.state", "lines.moves.quantity",
    "lines.moves.unit.factor",
)  # fmt: skip

_Describe = Callable[[Mapping[str, Any]], Record]


def connect(details: ConnectionDetails, state: SharedState) -> "TrytonConnector":
    """Build the connector; no I/O."""
    company = details.extra.get("company")
    if company not in (None, "") and not str(company).isdigit():
        raise Permanent(f"connection '{details.conn_id}': company is no number; enter the company's id, or nothing")
    client = HttpClient(
        _SYSTEM, details, authenticator=rest.application_key(details.password or ""), our_time=state.now
    )
    return TrytonConnector(
        rest.Models(client, str(details.extra.get("database") or "")),
        company=int(str(company)) if company not in (None, "") else None,
    )


class TrytonConnector:
    """Reads one company of one database. `company` None: the only one there is."""

    def __init__(
        self, models: rest.Models, company: int | None = None, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._models = models
        self._company = company
        self._sleep = sleep

    def close(self) -> None:
        """Close the connections to Tryton."""
        self._models.client.close()

    def check(self) -> str:
        companies = {each.get("id"): each["party"]["name"] for each in self._companies()}
        company = self._company_id()
        warehouses = self._models.all("stock.location", ("name",), [["type", "=", "warehouse"]], {})
        names = ", ".join(str(each.get("name")) for each in warehouses)
        return f"{_SYSTEM}: company {companies.get(company, company)}, {len(warehouses)} warehouses ({names})"

    def read(self, stream: str, mode: ReadMode, cursor: Cursor | None) -> Iterator[Page]:
        clock = ReadClock(self._models.client, self._ask_companies)
        since = polled_since(cursor, _OVERLAP) if mode is ReadMode.POLL else None
        match stream:
            case "locations":
                return self._read_records("stock.location", _LOCATION_FIELDS, [], _state, clock)
            case "products":
                domain = _GOODS if since is None else [*_GOODS, rest.touched_since(since, "", "template.")]
                return self._read_records("product.product", _PRODUCT_FIELDS, domain, _state, clock)
            case "stock_levels":
                return self._read_levels(clock, since)
            case "stock_movements":
                return self._read_moves(clock, mode, since)
            case "orders":
                return self._read_orders(clock, since, cursor)
        raise Permanent(
            f"{_SYSTEM} has no stream '{stream}'; declare some of locations, products, stock_levels, stock_movements,"
            " orders"
        )

    def _ask_companies(self) -> Answer:
        return self._models.ask("company.company", ("party.name",), [], {}, limit=_PAGE)

    def _companies(self) -> Sequence[Mapping[str, Any]]:
        return self._models.rows(self._ask_companies())

    def _company_id(self) -> int:
        # Without it in the context Tryton answers 200 with nulls where a company's figures should stand.
        if self._company is None:
            found, _ = ids_of(self._companies())
            if len(found) != 1:
                raise Permanent(
                    f"{_SYSTEM} (connection '{self._models.client.conn_id}') has {len(found)} companies; enter the"
                    " id of the one to read in the connection's company"
                )
            self._company = found[0]
        return self._company

    def _context(self, **rest_of_it: object) -> rest.Context:
        return {"company": self._company_id(), "active_test": False, **rest_of_it}

    def _read_records(
        self,
        model: str,
        fields: Sequence[str],
        domain: rest.Domain,
        describe: _Describe,
        clock: ReadClock,
        *,
        size: int = _PAGE,
    ) -> Iterator[Page]:
        for answer, rows, is_last in self._models.pages(model, fields, domain, self._context(), size):
            yield page(rows, describe, clock.at(answer), is_last=is_last, cursor=position(clock.start))

    def _read_levels(self, clock: ReadClock, since: datetime | None) -> Iterator[Page]:
        warehouses = self._models.all(
            "stock.location", ("input_location",), [["type", "=", "warehouse"], ["active", "=", True]], {}
        )
        # Of a warehouse without an id nothing can be asked, so what it holds is unknown, not gone.
        is_partial = not ids_of(warehouses)[1]
        warehouses = [warehouse for warehouse in warehouses if ids_of([warehouse])[1]]

        def ask(products: Collection[int] | None) -> Iterator[Read]:
            wanted = self._moved_after(since).keys() if products is None and since is not None else products
            for domain in [_GOODS] if wanted is None else _of_products(wanted):
                for warehouse in warehouses:
                    clock.listen()
                    yield from self._read_warehouse(warehouse, domain, clock)

        for moment, rows in read_undated(ask, _product_id, self._moved_after, self._sleep):
            yield page(rows, _level, moment, is_last=False)
        yield page([], _level, clock.start, is_last=True, cursor=position(clock.start), is_partial=is_partial)

    def _read_warehouse(self, warehouse: Mapping[str, Any], domain: rest.Domain, clock: ReadClock) -> Iterator[Read]:
        model, fields = "product.product", ("code", "quantity")
        context = self._context(locations=[warehouse["id"]])
        for answer, rows, _ in self._models.pages(model, fields, domain, context, _PAGE):
            moment = clock.at(answer)
            waiting = self._input_quantities(warehouse.get("input_location"), ids_of(rows)[0])
            yield moment, [_completed(row, warehouse["id"], waiting) for row in rows]

    def _input_quantities(self, location: object, products: Sequence[int]) -> Mapping[int, object]:
        """What waits at the location of each product; what is not in it could not be read."""
        if location is None or not products:
            return dict.fromkeys(products, 0.0)
        context = self._context(locations=[location])
        rows = self._models.all("product.product", ("quantity",), [["id", "in", list(products)]], context)
        return {row["id"]: row.get("quantity") for row in rows if ids_of([row])[1]}

    def _moved_after(self, moment: datetime) -> Mapping[int, datetime]:
        """When each product that a move touched since was last touched."""
        fields = ("product", "write_date", "create_date")
        newest: dict[int, datetime] = {}
        for move in self._models.all("stock.move", fields, [rest.touched_since(moment, "")], self._context()):
            moved_at = rest.moment(move.get("write_date")) or rest.moment(move.get("create_date")) or moment
            for product in ids_of([move], "product")[0]:
                newest[product] = max(moved_at, newest.get(product, moved_at))
        return newest

    def _read_moves(self, clock: ReadClock, mode: ReadMode, since: datetime | None) -> Iterator[Page]:
        swept = swept_since(clock.start) if mode is ReadMode.SWEEP else None
        pages = self._read_moves_since(clock, since or swept)
        return pages if swept is None else windowed(pages, swept)

    def _read_moves_since(self, clock: ReadClock, since: datetime | None) -> Iterator[Page]:
        # Cancelled ones too: one that was done is taken back by its cancellation.
        domain: rest.Domain = [["state", "in", ["done", "cancelled"]], ["company", "=", self._company_id()]]
        if since is not None:
            domain = [*domain, rest.touched_since(since, "")]
        fields: tuple[str, ...] = _MOVE_FIELDS
        if self._models.has("stock.move", "sale"):
            fields = (*fields, "sale.number", "sale.reference", *self._channel_fields("sale."))
        tree = Tree(self._models.all("stock.location", ("parent", "type"), [], {"active_test": False}))
        yield from self._read_records("stock.move", fields, domain, lambda row: _move(row, tree), clock)

    def _read_orders(self, clock: ReadClock, since: datetime | None, cursor: Cursor | None) -> Iterator[Page]:
        if not self._models.has("sale.sale", "shipments"):
            raise Permanent(f"{_SYSTEM} has no sales; activate its module 'sale', or take orders out of systems.yml")
        domain: rest.Domain = [["company", "=", self._company_id()]]
        if since is not None:
            # What was open when last read may have been closed by its shipment, which leaves the sale's dates alone.
            known = [each for each in (cursor or {}).get("open", []) if isinstance(each, int)]
            is_open = [["state", "in", list(_OPEN_STATES)], ["id", "in", known]]
            domain = [*domain, ["OR", *is_open, rest.touched_since(since, "")]]
        fields = (*_ORDER_FIELDS, *self._channel_fields(""))
        open_ones: list[int] = []
        for answer, rows, is_last in self._models.pages("sale.sale", fields, domain, self._context(), _ORDERS_A_PAGE):
            open_ones += ids_of(row for row in rows if isinstance(row, Mapping) and row.get("state") in _OPEN_STATES)[0]
            end = position(clock.start, open=open_ones)
            yield page(rows, _state, clock.at(answer), is_last=is_last, cursor=end)

    def _channel_fields(self, prefix: str) -> tuple[str, ...]:
        """The fields that say which channel a sale came from; they exist where the module web_shop does."""
        if not self._models.has("sale.sale", "web_shop"):
            return ()
        return (f"{prefix}web_id", f"{prefix}web_shop.name")


def _of_products(products: Collection[int]) -> list[rest.Domain]:
    wanted = sorted(products)
    groups = [wanted[at : at + _IDS_A_QUESTION] for at in range(0, len(wanted), _IDS_A_QUESTION)]
    return [[*_GOODS, ["id", "in", group]] for group in groups]


def _state(row: Mapping[str, Any]) -> Record:
    written = rest.moment(row.get("write_date")) or rest.moment(row.get("create_date"))
    return Record(
        source_key=key_of(row["id"]),
        payload=rest.normalized(row),
        source_version=None if written is None else written.isoformat(),
    )


def _level(row: Mapping[str, Any]) -> Record:
    return Record(source_key=key_of(row["id"], row["warehouse"]), payload=row)


def _product_id(row: object) -> int | None:
    return next(iter(ids_of([row])[0]), None)


def _completed(row: object, warehouse: int, waiting: Mapping[int, object]) -> Any:  # noqa: ANN401 - whatever came
    if not isinstance(row, Mapping):
        return row
    return {**row, "warehouse": warehouse, "input_quantity": waiting.get(_product_id(row) or 0)}


def _move(row: Mapping[str, Any], tree: "Tree") -> Record:
    done_at = rest.moment(row.get("write_date")) or rest.moment(row.get("create_date"))
    ends = {name: tree.placed(row[name]) for name in ("from_location", "to_location") if name in row}
    return Record(
        source_key=key_of(row["id"]),
        payload={**row, **ends},
        occurred_at=done_at,
    )


class Tree:
    """Which warehouse each location lies in. A move tells locations only, and stock is kept by warehouse."""

    def __init__(self, locations: Sequence[Mapping[str, Any]]) -> None:
        known = [location for location in locations if ids_of([location])[1]]
        self._parents = {location["id"]: location.get("parent") for location in known}
        self._warehouses = frozenset(location["id"] for location in known if location.get("type") == "warehouse")

    def warehouse_of(self, location: object) -> int | None:
        """Return the id of the nearest warehouse, None for a location outside of any."""
        passed: set[object] = set()
        while isinstance(location, int) and location not in passed:
            if location in self._warehouses:
                return location
            passed.add(location)
            location = self._parents.get(location)
        return None

    def placed(self, end: object) -> object:
        """Return a move's location with its warehouse added, where that is known: the contract refuses one without."""
        if not isinstance(end, Mapping):
            return end
        location = end.get("id")
        warehouse = self.warehouse_of(location)
        return {**end, "warehouse": warehouse} if warehouse is not None or self._leads_out(location) else end

    def _leads_out(self, location: object) -> bool:
        """Whether the way up is known to its end: behind a broken parent a warehouse may stand."""
        passed: set[object] = set()
        while isinstance(location, int) and location in self._parents and location not in passed:
            passed.add(location)
            location = self._parents[location]
        return location is None and bool(passed)
