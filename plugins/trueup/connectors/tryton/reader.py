"""Tryton (ERP): products, warehouses and their stock, done moves, sales, returns and credits, over its REST interface.

Stock is Tryton's own word here; what is written stands in writers. No timestamp of Tryton's can be trusted alone:
`write_date` is null until a record is first changed, and neither a product's nor a sale's moves when its stock or its
shipment does. So a poll asks for more than what says it changed (the levels of every product that a move touched,
every open sale), and the sweep reads everything. Levels tell no time: what moved in the second of its reading is read
again, see undated_levels.py.

Quantities are those of the warehouse, whole; what has been received but not yet put away is told apart as
`input_quantity`. Productions, drop shipments and supply requests are left out: they hold nothing that is sold from.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

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
from trueup.connectors.tryton import fields as fields_of
from trueup.connectors.tryton import rest
from trueup.connectors.tryton.company import SYSTEM as _SYSTEM
from trueup.connectors.tryton.company import Company, company_number, connect_models
from trueup.connectors.tryton.locations import Tree
from trueup.connectors.tryton.related import with_original_sales, with_shipments
from trueup.connectors.undated_levels import Read, read_undated
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.domain.records import Cursor, Page, ReadMode, Record

# write_date is when a transaction began; it is seen when that has ended.
_OVERLAP = timedelta(minutes=15)
_PAGE = 500
_ORDERS_A_PAGE = 100
_IDS_A_QUESTION = 500
_OPEN_STATES = ("confirmed", "processing")
_GOODS: rest.Domain = [["template.type", "=", "goods"]]

_COUNTED: rest.Domain = ["posted", "paid", "cancelled"]
"""States of an invoice that is in the books, or was."""

_Describe = Callable[[Mapping[str, Any]], Record]
_Complete = Callable[[rest.Models, rest.Context, Sequence[Any]], Sequence[Any]]


def connect(details: ConnectionDetails, state: SharedState) -> "TrytonConnector":
    """Build the connector; no I/O."""
    number = company_number(details)
    return TrytonConnector(connect_models(details, state), company=number)


class TrytonConnector:
    """Reads one company of one database. `company` None: the only one there is."""

    def __init__(
        self, models: rest.Models, company: int | None = None, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._models = models
        self._company = Company(models, company)
        self._sleep = sleep

    def close(self) -> None:
        """Close the connections to Tryton."""
        self._models.client.close()

    def check(self) -> str:
        companies = {each.get("id"): each["party"]["name"] for each in self._company.rows()}
        company = self._company.number
        warehouses = self._models.all("stock.location", ("name",), [["type", "=", "warehouse"]], {})
        names = ", ".join(str(each.get("name")) for each in warehouses)
        return f"{_SYSTEM}: company {companies.get(company, company)}, {len(warehouses)} warehouses ({names})"

    def read(self, stream: str, mode: ReadMode, cursor: Cursor | None) -> Iterator[Page]:
        clock = ReadClock(self._models.client, self._company.ask)
        since = polled_since(cursor, _OVERLAP) if mode is ReadMode.POLL else None
        match stream:
            case "locations":
                return self._read_records("stock.location", fields_of.LOCATION, [], _state, clock)
            case "products":
                # Services too: lines of sales name them, and they lie on no shelf.
                domain = [] if since is None else [rest.touched_since(since, "", "template.")]
                return self._read_records("product.product", fields_of.PRODUCT, domain, _state, clock)
            case "stock_levels":
                return self._read_levels(clock, since)
            case "stock_movements":
                return self._read_moves(clock, mode, since)
            case "orders":
                return self._read_orders(clock, since, cursor)
            case "returns":
                return self._read_returns(clock, since)
            case "credits":
                return self._read_credits(clock, since)
        raise Permanent(
            f"{_SYSTEM} has no stream '{stream}'; declare some of locations, products, stock_levels, stock_movements,"
            " orders, returns, credits"
        )

    def _read_records(
        self,
        model: str,
        fields: Sequence[str],
        domain: rest.Domain,
        describe: _Describe,
        clock: ReadClock,
        *,
        size: int = _PAGE,
        complete: _Complete | None = None,
    ) -> Iterator[Page]:
        """`complete`: adds to a page's rows what a second question tells of them."""
        for answer, rows, is_last in self._models.pages(model, fields, domain, self._company.context(), size):
            moment = clock.at(answer)
            whole = rows if complete is None else complete(self._models, self._company.context(), rows)
            yield page(whole, describe, moment, is_last=is_last, cursor=position(clock.start))

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
        context = self._company.context(locations=[warehouse["id"]])
        for answer, rows, _ in self._models.pages(model, fields, domain, context, _PAGE):
            moment = clock.at(answer)
            waiting = self._input_quantities(warehouse.get("input_location"), ids_of(rows)[0])
            yield moment, [_completed(row, warehouse["id"], waiting) for row in rows]

    def _input_quantities(self, location: object, products: Sequence[int]) -> Mapping[int, object]:
        """What waits at the location of each product; what is not in it could not be read."""
        if location is None or not products:
            return dict.fromkeys(products, 0.0)
        context = self._company.context(locations=[location])
        rows = self._models.all("product.product", ("quantity",), [["id", "in", list(products)]], context)
        return {row["id"]: row.get("quantity") for row in rows if ids_of([row])[1]}

    def _moved_after(self, moment: datetime) -> Mapping[int, datetime]:
        """When each product that a move touched since was last touched."""
        fields = ("product", "write_date", "create_date")
        newest: dict[int, datetime] = {}
        for move in self._models.all("stock.move", fields, [rest.touched_since(moment, "")], self._company.context()):
            moved_at = rest.moment(move.get("write_date")) or rest.moment(move.get("create_date")) or moment
            for product in ids_of([move], "product")[0]:
                newest[product] = max(moved_at, newest.get(product, moved_at))
        return newest

    def _read_moves(self, clock: ReadClock, mode: ReadMode, since: datetime | None) -> Iterator[Page]:
        swept = swept_since(clock.start) if mode is ReadMode.SWEEP else None
        if swept is not None:
            return windowed(self._read_moves_of(clock, rest.touched_since(swept, "")), swept)
        # Who types a tracking number into a shipment that has left changes the shipment alone.
        parcels = [] if since is None else [rest.shipment_touched_since(since)]
        return self._read_moves_of(clock, None if since is None else [*rest.touched_since(since, ""), *parcels])

    def _read_moves_of(self, clock: ReadClock, touched: rest.Domain | None) -> Iterator[Page]:
        # Cancelled ones too: one that was done is taken back by its cancellation.
        domain: rest.Domain = [["state", "in", ["done", "cancelled"]], ["company", "=", self._company.number]]
        if touched is not None:
            domain = [*domain, touched]
        fields: tuple[str, ...] = fields_of.MOVE
        if self._models.has("stock.move", "sale"):
            fields = (*fields, "sale.number", "sale.origin", *self._sale_fields("sale."))
        tree = Tree(self._models.all("stock.location", ("parent", "type"), [], {"active_test": False}))
        yield from self._read_records(
            "stock.move", fields, domain, lambda row: _move(row, tree), clock, complete=self._with_documents
        )

    def _read_orders(self, clock: ReadClock, since: datetime | None, cursor: Cursor | None) -> Iterator[Page]:
        if not self._models.has("sale.sale", "shipments"):
            raise Permanent(f"{_SYSTEM} has no sales; activate its module 'sale', or take orders out of systems.yml")
        domain: rest.Domain = [["company", "=", self._company.number]]
        if since is not None:
            # What was open when last read may have been closed by its shipment, which leaves the sale's dates alone.
            known = [each for each in (cursor or {}).get("open", []) if isinstance(each, int)]
            is_open = [["state", "in", list(_OPEN_STATES)], ["id", "in", known]]
            domain = [*domain, ["OR", *is_open, rest.touched_since(since, "")]]
        fields = (*fields_of.ORDER, *self._channel_fields(""))
        open_ones: list[int] = []
        for answer, rows, is_last in self._models.pages(
            "sale.sale", fields, domain, self._company.context(), _ORDERS_A_PAGE
        ):
            open_ones += ids_of(row for row in rows if isinstance(row, Mapping) and row.get("state") in _OPEN_STATES)[0]
            end = position(clock.start, open=open_ones)
            yield page(rows, _state, clock.at(answer), is_last=is_last, cursor=end)

    def _read_returns(self, clock: ReadClock, since: datetime | None) -> Iterator[Page]:
        if not self._models.has("sale.sale", "shipment_returns"):
            raise Permanent(f"{_SYSTEM} has no returns; activate its module 'sale', or take returns out of systems.yml")
        domain: rest.Domain = [["company", "=", self._company.number]]
        if since is not None:
            domain = [*domain, rest.touched_since(since, "", "moves.")]
        fields = (*fields_of.RETURN, "incoming_moves.sale.origin", *self._sale_fields("incoming_moves.sale."))
        yield from self._read_records(
            "stock.shipment.out.return", fields, domain, _state, clock, complete=self._with_originals
        )

    def _read_credits(self, clock: ReadClock, since: datetime | None) -> Iterator[Page]:
        if not self._models.has("account.invoice", "total_amount"):
            raise Permanent(
                f"{_SYSTEM} has no invoices; activate its module 'account_invoice', or take credits out of systems.yml"
            )
        domain: rest.Domain = [
            ["company", "=", self._company.number], ["type", "=", "out"], ["state", "in", _COUNTED],
            ["total_amount", "<", rest.decimal(Decimal(0))],
        ]  # fmt: skip
        if since is not None:
            domain = [*domain, rest.touched_since(since, "")]
        fields: tuple[str, ...] = fields_of.CREDIT
        if self._models.has("account.invoice", "sales"):
            fields = (*fields, "sales.origin", *self._sale_fields("sales."))
        yield from self._read_records("account.invoice", fields, domain, _state, clock, complete=self._with_originals)

    def _with_documents(self, models: rest.Models, context: rest.Context, rows: Sequence[Any]) -> Sequence[Any]:
        return self._with_originals(models, context, with_shipments(models, context, rows))

    def _with_originals(self, models: rest.Models, context: rest.Context, rows: Sequence[Any]) -> Sequence[Any]:
        return with_original_sales(models, context, rows, ("number", *self._sale_fields("")))

    def _sale_fields(self, prefix: str) -> tuple[str, ...]:
        return (f"{prefix}reference", *self._channel_fields(prefix))

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
