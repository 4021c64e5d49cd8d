"""BigCommerce: an order with its lines; its payments, refunds and parcels, which are asked for on their own.

The list of orders brings lines, discounts and fees along. Refunds come for many orders a call; payments take a call
an order, parcels one more where something was sent. So a poll costs one to two calls for each order that changed, and
a sweep as many for every order of the store. `include` asks for the lines by consignment: what is posted, picked up,
downloaded or sent as a gift certificate by mail.

Left out: who ordered, where it goes, and what anybody wrote. Of a parcel's comments, which are ours where we reported
it, only the location and the further tracking numbers that we noted there are kept.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, Final

from trueup.connectors.http.answers import Answer
from trueup.connectors.http.client import HttpClient
from trueup.connectors.http.paging import PageRead, by_number
from trueup.connectors.reading import ids_of, items_of, key_of, only, rfc3339, text_or_none, within
from trueup.domain.errors import Transient
from trueup.domain.records import Record

SYSTEM: Final = "BigCommerce"
REFUNDS: Final = "/v3/orders/payment_actions/refunds"
_ORDERS_A_QUESTION: Final = 200
_REFUNDS_A_PAGE: Final = 250
_PARTS_A_PAGE: Final = 50
_INCOMPLETE: Final = 0  # a cart that was left at the checkout
_GONE: Final = 404

_ORDER_FACTS: Final = (
    "id", "status_id", "date_created", "date_modified", "is_deleted", "currency_code", "default_currency_code",
    "external_order_id", "is_tax_inclusive_pricing", "payment_status",
)  # fmt: skip
_ORDER_AMOUNTS: Final = (
    *(f"{part}_{basis}" for part in ("subtotal", "shipping_cost", "handling_cost", "wrapping_cost", "total")
      for basis in ("ex_tax", "inc_tax", "tax")),
    "discount_amount", "coupon_discount",
)  # fmt: skip
_LINE: Final = (
    "id", "product_id", "variant_id", "name", "sku", "quantity", "quantity_shipped", "quantity_refunded", "type",
    "order_address_id",
)  # fmt: skip
_LINE_AMOUNTS: Final = ("total_ex_tax", "total_inc_tax", "total_tax", "price_ex_tax", "price_inc_tax")
_DISCOUNT: Final = ("id", "name", "code", "target")
_FEE: Final = ("id", "type", "display_name_merchant")
_FEE_AMOUNTS: Final = ("cost_ex_tax", "cost_inc_tax", "cost_tax")
_TRANSACTION: Final = (
    "id", "event", "method", "currency", "gateway", "status", "reference_transaction_id", "test", "date_created",
)  # fmt: skip
_REFUND: Final = ("id", "created", "uses_merchant_override_values")
_REFUND_ITEM: Final = ("item_type", "item_id", "quantity")
_REFUND_PAYMENT: Final = ("id", "provider_id", "offline", "is_declined", "transaction_id")
_PARCEL: Final = (
    "id", "order_address_id", "tracking_number", "tracking_carrier", "tracking_link", "generated_tracking_link",
    "shipping_provider", "shipping_method",
)  # fmt: skip
_PARCEL_LINE: Final = ("order_product_id", "quantity")

_COMMENT: Final = re.compile(
    r"(?:Further numbers: (?P<numbers>[^\n]+)\. )?From (?P<location>[^\n]+) \[(?P<ref>[^\n]+)\]"
)
_BETWEEN: Final = "; "


@dataclass(frozen=True, slots=True)
class Remark:
    """What stands in the comments of a parcel that we reported.

    `record_ref`: our id of it. `further_numbers`: tracking numbers beside the one that a shipment can have.
    """

    record_ref: str
    location_ref: str
    further_numbers: tuple[str, ...]

    def text(self) -> str:
        """Return it as it is written."""
        numbers = f"Further numbers: {_BETWEEN.join(self.further_numbers)}. " if self.further_numbers else ""
        return f"{numbers}From {self.location_ref} [{self.record_ref}]"

    @classmethod
    def read(cls, comments: object) -> "Remark | None":
        """Read comments; None where they are somebody else's."""
        found = _COMMENT.fullmatch(comments) if isinstance(comments, str) else None
        if found is None:
            return None
        numbers = found["numbers"]
        return cls(found["ref"], found["location"], tuple(numbers.split(_BETWEEN)) if numbers else ())


def data_of(answer: Answer) -> Any:  # noqa: ANN401 - a list of whatever came
    """Return the items: under `data` in v3, the answer itself in v2, where 204 is an empty list."""
    return items_of(answer, "data", SYSTEM)


def total_of(answer: Answer) -> int | None:
    """Return how many items the whole list has, None where the answer does not tell."""
    reported = within(answer.body, "meta", "pagination", "total")
    return reported if isinstance(reported, int) else None


def transactions_of(client: HttpClient, order_id: int) -> Sequence[Any]:
    """Return every step of an order's payments; an order that is gone has none."""
    answer = client.request("GET", f"/v3/orders/{order_id}/transactions", accept=(_GONE,))
    found: Sequence[Any] = [] if answer.status == _GONE else data_of(answer)
    total = total_of(answer)
    if total is not None and total > len(found):
        # Nothing asks for a second page, and a payment that is not seen might be given back twice.
        raise Transient(f"{SYSTEM}: an order has more transactions than one answer brings; report this")
    return found


def parcels_of(client: HttpClient, order_id: int) -> Sequence[Any]:
    """Return every shipment of an order; an order that is gone has none."""
    return _parts_of(client, order_id, "shipments")


def lines_of(client: HttpClient, order_id: int) -> Sequence[Any]:
    """Return every line of an order, whatever consignment it is in; an order that is gone has none."""
    return _parts_of(client, order_id, "products")


def refunds_of(client: HttpClient, order_ids: Iterable[int]) -> Mapping[int, Sequence[Any]]:
    """Return the refunds of orders, by order."""
    found: dict[int, list[Any]] = {}
    asked = sorted(set(order_ids))
    for at in range(0, len(asked), _ORDERS_A_QUESTION):
        ids = ",".join(map(str, asked[at : at + _ORDERS_A_QUESTION]))
        for read in by_number(f"{SYSTEM}, refunds", _asking_refunds(client, ids), data_of, total=total_of):
            for refund in read.items:
                order_id = within(refund, "order_id")
                if not isinstance(order_id, int):
                    raise Transient(f"{SYSTEM} answered with a refund of no order; read again")
                found.setdefault(order_id, []).append(refund)
    return found


def with_money(client: HttpClient, read: PageRead) -> PageRead:
    """Return a page of orders, each with its transactions, refunds and shipments."""
    refunds = refunds_of(client, ids_of(read.items)[0])
    return replace(read, items=[_whole(client, item, refunds) for item in read.items])


def order_record(item: Mapping[str, Any]) -> Record:
    """Return the record of an order as it lands."""
    payload = {
        **only(item, *_ORDER_FACTS),
        **_amounts(item, *_ORDER_AMOUNTS),
        # Told in RFC 2822, which no model reads.
        "date_created": time_of(item.get("date_created")),
        "date_modified": time_of(item.get("date_modified")),
        "lines": _by_id(_line(line) for line in _lines(item["consignments"])),
        "fees": _by_id({**only(fee, *_FEE), **_amounts(fee, *_FEE_AMOUNTS)} for fee in _fees(item)),
        "transactions": _by_id(
            {**only(each, *_TRANSACTION), **_amounts(each, "amount")} for each in item["transactions"]
        ),
        "refunds": _by_id(_refund(each) for each in item["refunds"]),
        "shipments": _by_id(_parcel(each) for each in item["shipments"]),
    }
    return Record(source_key=key_of(item["id"]), payload=payload, source_version=text_or_none(payload["date_modified"]))


def _asking_refunds(client: HttpClient, ids: str) -> Any:  # noqa: ANN401 - a function of the page's number
    def ask(number: int) -> Answer:
        params: dict[str, str | int] = {"order_id:in": ids, "limit": _REFUNDS_A_PAGE, "page": number}
        return client.request("GET", REFUNDS, params=params)

    return ask


def _parts_of(client: HttpClient, order_id: int, name: str) -> Sequence[Any]:
    def ask(number: int) -> Answer:
        params: dict[str, str | int] = {"limit": _PARTS_A_PAGE, "page": number}
        return client.request("GET", f"/v2/orders/{order_id}/{name}", params=params, accept=(_GONE,))

    def items(answer: Answer) -> Sequence[Any]:
        return [] if answer.status == _GONE else data_of(answer)

    pages = by_number(f"{SYSTEM}, {name}", ask, items, lambda answer, _: len(items(answer)) < _PARTS_A_PAGE)
    return [each for read in pages for each in read.items]


def _whole(client: HttpClient, item: Any, refunds: Mapping[int, Sequence[Any]]) -> Any:  # noqa: ANN401 - whatever came
    ids, _ = ids_of([item])
    if not ids:
        return item  # no record can be made of it
    is_cart = item.get("status_id") == _INCOMPLETE
    return {
        **item,
        "transactions": [] if is_cart else transactions_of(client, ids[0]),
        "refunds": refunds.get(ids[0], []),
        "shipments": parcels_of(client, ids[0]) if _is_sent(item) else [],
    }


def _is_sent(item: Mapping[str, Any]) -> bool:
    lines = list(_lines(item.get("consignments")))
    return bool(item.get("items_shipped")) or any(within(line, "quantity_shipped") for line in lines)


def _lines(consignments: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401 - a piece of JSON
    """Yield the lines of every consignment. What is mailed may be told as one consignment, or as a list of them."""
    mailed = within(consignments, "email", "gift_certificates")
    groups = [within(consignments, name) or [] for name in ("shipping", "pickups", "downloads")]
    for group in (*groups, [mailed] if isinstance(mailed, Mapping) else mailed or []):
        for consignment in group:
            yield from within(consignment, "line_items") or []


def _fees(item: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the fees; an order that was asked without them has an address in their place."""
    fees = item.get("fees")
    return fees if isinstance(fees, list) else []


def _line(line: Mapping[str, Any]) -> Mapping[str, Any]:
    discounts = [{**only(each, *_DISCOUNT), **_amounts(each, "amount")} for each in line.get("applied_discounts") or ()]
    return {**only(line, *_LINE), **_amounts(line, *_LINE_AMOUNTS), "applied_discounts": discounts}


def _refund(refund: Mapping[str, Any]) -> Mapping[str, Any]:
    items = [{**only(each, *_REFUND_ITEM), **_amounts(each, "requested_amount")} for each in refund["items"]]
    payments = [{**only(each, *_REFUND_PAYMENT), **_amounts(each, "amount")} for each in refund["payments"]]
    return {
        **only(refund, *_REFUND),
        **_amounts(refund, "total_amount", "total_tax"),
        "items": items,
        "payments": payments,
    }


def _parcel(parcel: Mapping[str, Any]) -> Mapping[str, Any]:
    remark = Remark.read(parcel.get("comments"))
    return {
        **only(parcel, *_PARCEL),
        "date_created": time_of(parcel.get("date_created")),
        "shipped_from": None if remark is None else remark.location_ref,
        "further_tracking_numbers": [] if remark is None else list(remark.further_numbers),
        "items": [only(each, *_PARCEL_LINE) for each in parcel["items"]],
    }


def _by_id(parts: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(parts, key=lambda part: str(part.get("id")))


def _amounts(item: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return amounts as text: v2 writes "12.3400", 12.34 or 12 (its own words), v3 numbers."""
    return {name: _as_text(item[name]) for name in names if name in item}


def _as_text(amount: Any) -> Any:  # noqa: ANN401 - an amount, or what the contract will refuse
    is_number = isinstance(amount, int | float) and not isinstance(amount, bool)
    return f"{Decimal(str(amount)):f}" if is_number else amount


def time_of(reported: Any) -> Any:  # noqa: ANN401 - a time, or what the contract will refuse
    """Return a time of RFC 2822, as v2 tells it, in RFC 3339; anything else as it is."""
    try:
        return rfc3339(parsedate_to_datetime(reported).astimezone(UTC))
    except (ValueError, TypeError, OverflowError, AttributeError):
        return reported
