"""Why an order comes to what it does, where else it is booked, what became of its goods, and what stands wrong of it.

What was done about that stands below it. Read as the operator, who sees every schema; nothing is written.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from psycopg import sql

from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.explain.differences import find_difference
from trueup.explain.explanation import Difference
from trueup.explain.order_goods import OrderGoods, goods_of
from trueup.explain.order_text import lines_of
from trueup.explain.record_history import RecordHistory, history_of
from trueup.explain.rows import all_rows, one_row
from trueup.warehouse.connection import Role, Warehouse, connect
from trueup.warehouse.failures import translated

_NAMES_SHOWN = 5
# The tables in which an order can stand wrong, by the column that names it. A tenant has those of its workflows.
_DIFFERENCES = {
    "order_differences": "subject_key",
    "fulfilment_differences": "order_id",
    "return_differences": "order_id",
}


@dataclass(frozen=True, slots=True)
class OrderLine:
    """A line in the word of the system that took it. Amounts are in the order's currency; None where nobody tells one.

    `current_quantity`: what is left of it after edits and returns; `gross_amount`: its goods before discount and tax.
    """

    sku: str | None
    source_sku: str | None
    title: str | None
    ordered_quantity: Decimal
    current_quantity: Decimal | None
    gross_amount: Decimal | None
    classification: str


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A part of the total that is no goods. `is_included`: the prices contain it, so it adds nothing."""

    kind: str
    label: str | None
    amount: Decimal
    is_included: bool


@dataclass(frozen=True, slots=True)
class Copy:
    """What another system has of the order, such as the ERP's booking."""

    system_id: str
    source_order_id: str
    external_ref: str | None
    currency: str | None
    total_amount: Decimal | None
    order_status: str | None
    is_cancelled: bool
    record: str


@dataclass(frozen=True, slots=True)
class Wrong:
    """What stands wrong of the order in one system. `waits_for`: what keeps Trueup from putting it right.

    `subject_key`: the order itself, one of its parcels or refunds, or a product of it that came back.
    """

    target: str
    subject_key: str
    difference_class: str
    waits_for: str | None
    difference: Difference


@dataclass(frozen=True, slots=True)
class OrderExplanation:
    """One order. `lines` is the text for a person.

    `unexplained_amount`: its total less its parts; 0 where they add up, None where no record tells money.
    """

    order_id: str
    owner_system_id: str
    channel: str | None
    is_landed: bool
    is_cancelled: bool
    ordered_at: datetime | None
    currency: str | None
    total_amount: Decimal | None
    paid_amount: Decimal | None
    refunded_amount: Decimal | None
    financial_status: str | None
    order_status: str | None
    record: str | None
    order_lines: tuple[OrderLine, ...]
    adjustments: tuple[Adjustment, ...]
    copies: tuple[Copy, ...]
    goods: OrderGoods
    wrong: tuple[Wrong, ...]
    histories: tuple[RecordHistory, ...]
    unexplained_amount: Decimal | None = field(init=False)
    lines: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "unexplained_amount", _unexplained(self))
        object.__setattr__(self, "lines", tuple(lines_of(self)))


def explain_order(details: ConnectionDetails, order: str) -> OrderExplanation:
    """Explain one order as of the newest build; `order` is its id (`shopify_main|#1001`) or its name (`#1001`).

    Raises `Permanent` where there is none, or where several systems took one of this name, naming them.
    """
    with translated(f"explaining order {order}"), connect(details, Role.OPERATOR) as connection:
        # One snapshot: the order and what was done about it must be of the same moment.
        connection.execute("set transaction isolation level repeatable read, read only")
        row = _order(connection, order)
        order_id = str(row["order_id"])
        goods = goods_of(connection, order_id, row["order_name"])
        refs = connection.execute(
            "select target_system, record_ref from outbox.changes where entity in ('order', 'fulfilment', 'refund')"
            " and subject_key = any(%s) group by 1, 2 order by min(change_id)",
            (goods.subject_keys(order_id),),
        ).fetchall()
        values: dict[str, Any] = {
            "goods": goods,
            "order_lines": _lines(connection, order_id, row["order_name"]),
            "adjustments": _adjustments(connection, order_id),
            "copies": _copies(connection, order_id, row["order_name"]),
            "wrong": _wrong(connection, order_id),
            "histories": tuple(history_of(connection, target, record) for target, record in refs),
        }
    names = (
        "order_id", "owner_system_id", "channel", "is_landed", "is_cancelled", "ordered_at", "currency", "total_amount",
        "paid_amount", "refunded_amount", "financial_status", "order_status",
    )  # fmt: skip
    return OrderExplanation(
        **{name: row[name] for name in names},
        record=f"raw.{row['owner_system_id']}__orders #{row['record_id']}" if row["is_landed"] else None,
        **values,
    )


def _order(connection: Warehouse, order: str) -> dict[str, Any]:
    found = all_rows(
        connection,
        "select * from canonical.orders where order_id = %(order)s or order_name = %(order)s"
        " order by order_id limit %(most)s",
        {"order": order, "most": _NAMES_SHOWN},
    )
    exact = [row for row in found if row["order_id"] == order]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if found:
        names = ", ".join(f"'{row['order_id']}'" for row in found)
        raise Permanent(f"several systems took an order '{order}'; ask for one of {names}")
    near = one_row(
        connection,
        "select order_id from canonical.orders where order_name = %s or order_name = %s limit 1",
        (f"#{order}", order.lstrip("#")),
    )
    hint = (
        f"; did you mean '{near['order_id']}'?" if near else "; see canonical.orders, and that its channel has landed"
    )
    raise Permanent(f"no order '{order}'{hint}")


def _lines(connection: Warehouse, order_id: str, order_name: str) -> tuple[OrderLine, ...]:
    rows = all_rows(
        connection,
        "select sku, source_sku, title, ordered_quantity, current_quantity, gross_amount, classification"
        " from canonical.order_lines left join canonical.products using (sku)"
        " where order_name = %s and order_id = %s order by order_line_id",
        (order_name, order_id),
    )
    return tuple(OrderLine(**row) for row in rows)


def _adjustments(connection: Warehouse, order_id: str) -> tuple[Adjustment, ...]:
    rows = all_rows(
        connection,
        "select kind, label, sum(amount) as amount, is_included from canonical.order_adjustments where order_id = %s"
        " group by kind, label, is_included order by is_included, kind, label",
        (order_id,),
    )
    return tuple(Adjustment(**row) for row in rows)


def _copies(connection: Warehouse, order_id: str, order_name: str) -> tuple[Copy, ...]:
    rows = all_rows(
        connection,
        "select system_id, source_order_id, external_ref, currency, total_amount, order_status, is_cancelled,"
        " 'raw.' || system_id || '__orders #' || record_id as record from canonical.order_copies"
        " where order_name = %s and order_id = %s order by system_id, source_order_id",
        (order_name, order_id),
    )
    return tuple(Copy(**row) for row in rows)


def _wrong(connection: Warehouse, order_id: str) -> tuple[Wrong, ...]:
    found: list[Wrong] = []
    for table, column in _DIFFERENCES.items():
        if one_row(connection, "select where to_regclass(%s) is not null", (f"reconciliation.{table}",)) is None:
            continue
        for row in all_rows(
            connection,
            sql.SQL(
                "select target_system, entity, subject_key, difference_class, waits_for from {}"
                " where {} = %s order by target_system, subject_key"
            ).format(sql.Identifier("reconciliation", table), sql.Identifier(column)),
            (order_id,),
        ):
            target, subject_key = row["target_system"], row["subject_key"]
            difference = find_difference(connection, row["entity"], subject_key, target)
            if difference is not None:
                found.append(Wrong(target, subject_key, row["difference_class"], row["waits_for"], difference))
    return tuple(found)


def _unexplained(it: OrderExplanation) -> Decimal | None:
    if it.total_amount is None:
        return None
    goods = sum((line.gross_amount for line in it.order_lines if line.gross_amount is not None), Decimal(0))
    return it.total_amount - goods - sum((each.amount for each in it.adjustments if not each.is_included), Decimal(0))
