"""A small retailer and a connector over pages given by the test, for the landing tests."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from psycopg import sql

from trueup.configuration.model import Branding, Rule, SystemDeclaration, SystemRole, TenantConfiguration
from trueup.domain.connections import ConnectionDetails
from trueup.domain.records import Cursor, Page, ReadMode, Record
from trueup.warehouse.connection import Role, connect

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

CONFIGURATION = TenantConfiguration(
    tenant="test",
    branding=Branding(display_name="Test"),
    owner="test",
    warehouse_connection="test",
    systems={
        "netsuite": SystemDeclaration(
            connector="netsuite",
            connection="none",
            role=SystemRole.ERP,
            streams=("locations", "stock_levels", "stock_movements"),
        )
    },
    locations={},
    channels={},
    default_rule=Rule(safety_stock=0, buffer=0, share=Decimal(1)),
)


def at(seconds: float) -> datetime:
    """The source's clock, so many seconds after the start."""
    return START + timedelta(seconds=seconds)


def level(item: str, quantity: str | int, *, seconds: float | None = None, **more: object) -> Record:
    """A stock level of NetSuite's; an integer quantity breaks its contract."""
    return Record(
        source_key=f"{item}|1",
        payload={"item": item, "location": "1", "quantityonhand": quantity, **more},
        occurred_at=None if seconds is None else at(seconds),
    )


def movement(key: str, quantity: str | int = "-1", seconds: float = 0) -> Record:
    """A stock movement of NetSuite's; an integer quantity breaks its contract."""
    payload = {
        "uniquekey": key,
        "transaction": "9",
        "type": "ItemShip",
        "item": "7",
        "location": "1",
        "quantity": quantity,
        "createddate": "2026-11-22 12:00:00",
        "lastmodifieddate": "2026-11-22 12:00:00",
        "trandate": "2026-11-22 00:00:00",
    }
    return Record(source_key=key, payload=payload, occurred_at=at(seconds))


def page(
    records: Iterable[Record],
    seconds: float = 0,
    *,
    cursor: Mapping[str, Any] | None = None,
    is_last: bool = False,
    is_partial: bool = False,
    damaged: Iterable[tuple[str, str]] = (),
    covers_since: datetime | None = None,
) -> Page:
    """A page as of so many seconds after the start."""
    return Page(
        records=tuple(records),
        as_of=at(seconds),
        cursor=cursor,
        is_last=is_last,
        is_partial=is_partial,
        damaged=tuple(damaged),
        covers_since=covers_since,
    )


Step = Page | Exception | Callable[[], object]
"""A page, an error in its place, or something that happens between two pages."""


@dataclass
class Scripted:
    """A connector that plays the pages and errors it is given, by stream, and remembers how it was asked.

    A stream without a script is empty.
    """

    script: Mapping[str, Sequence[Step]]
    asked: list[tuple[str, ReadMode, Cursor | None]] = field(default_factory=list)

    def read(self, stream: str, mode: ReadMode, cursor: Cursor | None) -> Iterator[Page]:
        """Play the stream's script."""
        self.asked.append((stream, mode, cursor))
        for step in self.script.get(stream, [page([], is_last=True)]):
            if isinstance(step, Exception):
                raise step
            if isinstance(step, Page):
                yield step
            else:
                step()

    def check(self) -> str:
        """There is nothing to reach."""
        return "scripted"

    def close(self) -> None:
        """There is no connection."""


def rows(details: ConnectionDetails, columns: str, table: str = "raw.netsuite__stock_levels") -> list[tuple[Any, ...]]:
    """The table's columns, by the number of the record where it has one."""
    order = " order by record_id" if table.startswith("raw.") and "position" not in table and "(" not in columns else ""
    with connect(details, Role.OPERATOR) as connection:
        return connection.execute(sql.SQL(f"select {columns} from {table}{order}")).fetchall()


def quantities(details: ConnectionDetails) -> list[tuple[str, str | None]]:
    """Key and quantity of every stock level that landed, in order; None is a tombstone."""
    return [(key, quantity) for key, quantity in rows(details, "source_key, payload ->> 'quantityonhand'")]


def current_versions(details: ConnectionDetails) -> dict[str, str | None]:
    """The newest quantity of each key, by number and by time: they must agree."""
    with connect(details, Role.OPERATOR) as connection:
        by_number = connection.execute(
            "select distinct on (source_key) source_key, payload ->> 'quantityonhand' from raw.netsuite__stock_levels"
            " order by source_key, record_id desc"
        ).fetchall()
        by_time = connection.execute(
            "select distinct on (source_key) source_key, payload ->> 'quantityonhand' from raw.netsuite__stock_levels"
            " order by source_key, occurred_at desc, record_id desc"
        ).fetchall()
    if by_number != by_time:
        raise AssertionError(f"newest by number {by_number}, by time {by_time}")
    return dict(by_number)
