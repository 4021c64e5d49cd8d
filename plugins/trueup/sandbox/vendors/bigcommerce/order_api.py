"""Calls about one order: its products, payments, refunds and parcels."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from trueup.sandbox.vendors.bigcommerce import order_objects
from trueup.sandbox.vendors.bigcommerce.books import BigCommerceBooks, RefundItem, RefundPayment, line_number
from trueup.sandbox.vendors.bigcommerce.money import number
from trueup.sandbox.vendors.bigcommerce.problems import Problem
from trueup.sandbox.vendors.shop_books import ShopOrder

_AMOUNTS: Final = ("SHIPPING", "HANDLING", "ORDER", "FEE")
_GUEST: Final = "Unable to provide store credit for a guest customer."


def order_in(books: BigCommerceBooks, request: Request) -> ShopOrder:
    """The order of the address."""
    found = books.orders.get(request.path_params["order_id"])
    if found is None:
        raise Problem(404, "The requested resource was not found.")
    return found


def one(books: BigCommerceBooks, request: Request) -> Response:
    """GET /v2/orders/{id}."""
    kept = order_in(books, request)
    return JSONResponse(order_objects.order(kept, books.accounts[kept.name]))


def products(books: BigCommerceBooks, request: Request) -> Response:
    """GET /v2/orders/{id}/products."""
    kept = order_in(books, request)
    account = books.accounts[kept.name]
    return JSONResponse([order_objects.line_of(kept, account, line) for line in kept.lines.values()])


def shipments(books: BigCommerceBooks, request: Request) -> Response:
    """GET /v2/orders/{id}/shipments."""
    kept = order_in(books, request)
    found = [order_objects.shipment(kept, parcel) for parcel in books.accounts[kept.name].parcels]
    return JSONResponse(found) if found else Response(status_code=204)


def ship(books: BigCommerceBooks, request: Request, body: Mapping[str, Any], now: datetime) -> Response:
    """POST /v2/orders/{id}/shipments."""
    kept = order_in(books, request)
    if body.get("order_address_id") != int(kept.name):
        raise Problem(400, "The field 'order_address_id' is invalid.")
    by_number = {str(line_number(kept, line_id)): line_id for line_id in kept.lines}
    units: dict[str, int] = {}
    asked = body.get("items")
    for each in asked if isinstance(asked, list) else ():
        line_id = by_number.get(str(each.get("order_product_id"))) if isinstance(each, Mapping) else None
        quantity = each.get("quantity") if isinstance(each, Mapping) else None
        if line_id is None or type(quantity) is not int or quantity < 1:
            raise Problem(400, "The field 'items' is invalid.")
        units[line_id] = units.get(line_id, 0) + quantity
        if units[line_id] > kept.lines[line_id].open:
            raise Problem(400, "The quantity of an item is more than is left to ship.")
    if not units:
        raise Problem(400, "The field 'items' is invalid.")
    parcel = books.report(
        kept,
        units,
        now,
        tracking_number=str(body.get("tracking_number") or ""),
        carrier=str(body.get("tracking_carrier") or ""),
        method=str(body.get("shipping_method") or ""),
        link=str(body.get("tracking_link") or ""),
    )
    return JSONResponse(order_objects.shipment(kept, parcel), status_code=201)


def transactions(books: BigCommerceBooks, request: Request) -> Response:
    """GET /v3/orders/{id}/transactions."""
    kept = order_in(books, request)
    return _data([order_objects.transaction(kept, each) for each in books.accounts[kept.name].transactions])


def refunds(books: BigCommerceBooks, request: Request) -> Response:
    """GET /v3/orders/{id}/payment_actions/refunds."""
    kept = order_in(books, request)
    return _data([order_objects.refund(kept, each) for each in books.accounts[kept.name].refunds])


def quote(books: BigCommerceBooks, request: Request, body: Mapping[str, Any]) -> Response:
    """POST /v3/orders/{id}/payment_actions/refund_quotes: what it comes to, and the ways in which it can go back."""
    kept = order_in(books, request)
    account = books.accounts[kept.name]
    try:
        items = _items(books, kept, body)
    except Problem as problem:
        raise Problem(422, str(problem)) from problem
    amount = sum(item.amount for item in items)
    original = books.payments_for(account, amount)
    ways = [original, [RefundPayment("custom", amount, True)]]
    shown = {
        "order_id": int(kept.name),
        "total_refund_amount": number(amount),
        "total_refund_tax_amount": number(sum(item.tax for item in items)),
        "order_level_refund_amount": number(sum(item.amount for item in items if item.kind == "ORDER")),
        "rounding": 0,
        "adjustment": 0,
        "tax_inclusive": account.bill.money.are_taxes_included,
        "refund_methods": [[order_objects.payment_option(each) for each in way] for way in ways],
    }
    return _data(shown, 201)


def refund(books: BigCommerceBooks, request: Request, body: Mapping[str, Any], now: datetime) -> Response:
    """POST /v3/orders/{id}/payment_actions/refunds. BigCommerce has no idempotency key: twice is twice."""
    kept = order_in(books, request)
    items = _items(books, kept, body)
    override = body.get("merchant_calculated_override")
    amount = sum(item.amount for item in items)
    if isinstance(override, Mapping):
        items = [_overridden(items, _minor(override.get("total_amount")), _minor(override.get("total_tax")))]
        amount = items[0].amount
    payments = _payments(books, kept, body, amount)
    made = books.give_back(kept, items, payments, now, is_overridden=override is not None)
    books.refund_units(kept, items)
    return _data(order_objects.refund(kept, made), 201)


def _overridden(items: Sequence[RefundItem], amount: int, tax: int) -> RefundItem:
    first = items[0]
    return RefundItem(first.kind, first.item_id, first.quantity, amount, tax, first.line_id, first.reason)


def _items(books: BigCommerceBooks, kept: ShopOrder, body: Mapping[str, Any]) -> list[RefundItem]:
    """Read what is to go back, no more of anything than is left of it."""
    asked = body.get("items")
    if not isinstance(asked, list) or not asked:
        raise _refused("items are required")
    account, items = books.accounts[kept.name], list[RefundItem]()
    by_number = {str(line_number(kept, line_id)): line_id for line_id in kept.lines}
    for each in asked:
        kind = each.get("item_type") if isinstance(each, Mapping) else None
        if kind == "PRODUCT":
            line_id, units = by_number.get(str(each.get("item_id"))), each.get("quantity")
            if line_id is None or type(units) is not int or units < 1:
                raise _refused("an item is no product of the order, or has no quantity")
            if any(item.line_id == line_id for item in items):
                raise _refused("an item is named twice")
            if account.refunded_units(line_id) + units > kept.lines[line_id].ordered.quantity:
                raise _refused("the quantity is more than is left of the item")
            items.append(books.product_item(kept, line_id, units, str(each.get("reason") or "")))
        elif kind in _AMOUNTS:
            amount = _minor(each.get("amount"))
            items.append(RefundItem(str(kind), int(kept.name), 0, amount, reason=str(each.get("reason") or "")))
        else:
            raise _refused("item_type is none that can be refunded")
    shipping = sum(item.amount for item in items if item.kind == "SHIPPING")
    if account.refunded_of("SHIPPING") + shipping > account.bill.shipping.inc_tax:
        raise _refused("the amount is more than is left of the shipping")
    if account.refunded + sum(item.amount for item in items) > account.bill.total.inc_tax:
        raise _refused("the amount is more than is left of the order")
    return items


def _payments(books: BigCommerceBooks, kept: ShopOrder, body: Mapping[str, Any], amount: int) -> list[RefundPayment]:
    """Read how it is to go back: the parts are the whole, and none is more than its payment has room for."""
    account, chosen = books.accounts[kept.name], list[RefundPayment]()
    asked = body.get("payments")
    if not isinstance(asked, list) or not asked:
        raise _refused("payments are required")
    room = {each.provider: 0 for each in books.payments_for(account, account.paid)}
    for each in books.payments_for(account, account.paid):
        room[each.provider] += 0 if each.is_offline else each.amount
    for each in asked:
        provider, part = str(each.get("provider_id")), _minor(each.get("amount"))
        if provider == "storecredit":
            raise _refused(_GUEST)
        if bool(each.get("offline")) or provider == "custom":
            chosen.append(RefundPayment(provider, part, True))
            continue
        if part > room.get(provider, 0):
            raise _refused(f"{provider} has not so much to give back")
        room[provider] -= part
        for found in books.payments_for(account, account.paid):
            taken = min(part, found.amount) if found.provider == provider and not found.is_offline else 0
            if taken:
                chosen.append(RefundPayment(provider, taken, False, found.transaction))
                part -= taken
    if sum(each.amount for each in chosen) != amount:
        raise _refused("the payments do not add up to the refund")
    return chosen


def _refused(title: str) -> Problem:
    return Problem(422, title, is_listed=True)


def _minor(asked: object) -> int:
    try:
        minor = Decimal(str(asked)) * 100
        if not minor.is_finite() or minor != int(minor) or minor < 0:
            raise _refused("an amount is none")
    except InvalidOperation as error:
        raise _refused("an amount is none") from error
    return int(minor)


def _data(content: object, status: int = 200) -> Response:
    return JSONResponse({"data": content, "meta": {}}, status_code=status)
