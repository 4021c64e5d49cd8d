"""What became of an order's goods: what left in which parcel, what came back, and what was given back for it."""

from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any, LiteralString, TypeVar

from psycopg import sql

from trueup.explain.rows import all_rows
from trueup.warehouse.connection import Warehouse

_Row = TypeVar("_Row", "Units", "Parcel", "Return", "Restock", "Refund", "Credit")


@dataclass(frozen=True, slots=True)
class Units:
    """What has become of the units of a product: ordered = shipped + cancelled + open.

    `excess_quantity`: units that left beyond what was ordered.
    """

    sku: str | None
    ordered_quantity: Decimal
    shipped_quantity: Decimal
    cancelled_quantity: Decimal
    open_quantity: Decimal
    excess_quantity: Decimal


@dataclass(frozen=True, slots=True)
class Parcel:
    """A parcel in the word of one system.

    `reported_as`: shipped (its location's system says that it left) or confirmed (the channel was told of it).
    """

    parcel_id: str
    reported_as: str
    system_id: str
    location_id: str | None
    status: str
    problem: str | None
    quantity: Decimal
    carrier: str | None
    tracking_numbers: tuple[str, ...]
    shipped_at: datetime | None
    delivered_at: datetime | None


@dataclass(frozen=True, slots=True)
class Return:
    """A return in the word of one system; units of all its lines. None where the system does not say."""

    return_id: str
    source_system_id: str
    return_status: str
    announced_quantity: Decimal | None
    received_quantity: Decimal | None
    restocked_quantity: Decimal | None
    exchanged_quantity: Decimal | None
    announced_at: datetime | None
    arrived_at: datetime | None


@dataclass(frozen=True, slots=True)
class Restock:
    """Units of a product that came back and are counted at a location, by the movements of its system of record."""

    sku: str | None
    location_id: str
    quantity: Decimal
    restocked_at: datetime | None
    source_system_id: str


@dataclass(frozen=True, slots=True)
class Refund:
    """What was given back at one moment, in its currency. `is_amount_only`: for no items."""

    refund_id: str
    source_system_id: str
    refund_status: str
    is_amount_only: bool
    refund_amount: Decimal | None
    currency: str | None
    refunded_at: datetime | None


@dataclass(frozen=True, slots=True)
class Credit:
    """A document by which the books give the customer something back. `refund_id`: where the document names one."""

    credit_id: str
    source_system_id: str
    credit_name: str | None
    refund_id: str | None
    credited_amount: Decimal
    currency: str | None
    booked_on: date | None


@dataclass(frozen=True, slots=True)
class OrderGoods:
    """All of it, each in order of time."""

    units: tuple[Units, ...]
    parcels: tuple[Parcel, ...]
    returns: tuple[Return, ...]
    restocks: tuple[Restock, ...]
    refunds: tuple[Refund, ...]
    credits: tuple[Credit, ...]

    def subject_keys(self, order_id: str) -> list[str]:
        """What changes of the order, of its parcels and of its refunds are about."""
        parcels = [each.parcel_id for each in self.parcels]
        refunds = [each.refund_id for each in self.refunds]
        returned = [f"{order_id}|{each.sku}" for each in self.units if each.sku is not None]
        return [order_id, *parcels, *refunds, *returned]


def goods_of(connection: Warehouse, order_id: str, order_name: str) -> OrderGoods:
    """Read it of the order, as of the newest build. The name is what the tables are found by, the id decides."""

    def rows(row: type[_Row], table: str, order: LiteralString) -> tuple[_Row, ...]:
        names = [each.name for each in fields(row)]
        columns = sql.SQL(", ").join(
            # A product may stand on several lines of the order.
            sql.SQL("sum({0}) as {0}" if row is Units and name != "sku" else "{0}").format(sql.Identifier(name))
            for name in names
        )
        query = sql.SQL("select {} from {} where order_name = %s and order_id = %s {}").format(
            columns, sql.Identifier("canonical", table), sql.SQL(order)
        )
        return tuple(row(**_immutable(each)) for each in all_rows(connection, query, (order_name, order_id)))

    return OrderGoods(
        units=rows(Units, "order_line_fulfilments", "group by sku order by sku"),
        parcels=rows(Parcel, "parcels", "order by coalesce(shipped_at, created_at), parcel_id"),
        returns=rows(Return, "returns", "order by announced_at, return_id"),
        restocks=rows(Restock, "restocks", "order by restocked_at, restock_id"),
        refunds=rows(Refund, "refunds", "order by refunded_at, refund_id"),
        credits=rows(Credit, "credits", "order by credited_at, credit_id"),
    )


def _immutable(row: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
