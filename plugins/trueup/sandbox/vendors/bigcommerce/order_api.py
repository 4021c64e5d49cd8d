"""Calls of the third version about an order's payments and refunds."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from trueup.sandbox.vendors.bigcommerce import order_objects
from trueup.sandbox.vendors.bigcommerce.accounts import RefundItem, RefundPayment
from trueup.sandbox.vendors.bigcommerce.books import BigCommerceBooks, address_number, line_number
from trueup.sandbox.vendors.bigcommerce.money import number
from trueup.sandbox.vendors.bigcommerce.problems import Problem
from trueup.sandbox.vendors.shop_books import ShopOrder
from trueup.sandbox.vendors.vendor_api import Paged

_AMOUNTS: Final = ("SHIPPING", "HANDLING", "ORDER", "FEE")
_LONGEST_REASON: Final = 1000
_GUEST: Final = "Unable to provide store credit for a guest customer."


def order_in(books: BigCommerceBooks, request: Request) -> ShopOrder:
    """The order of the address."""
    found = books.orders.get(request.path_params["order_id"])
    if found is None:
        raise Problem(404, "The requested resource was not found.")
    return found


def transactions(books: BigCommerceBooks, request: Request) -> Response:
    """GET /v3/orders/{id}/transactions."""
    kept = order_in(books, request)
    return _data([order_objects.transaction(kept, each) for each in books.accounts[kept.name].transactions])


def refunds(books: BigCommerceBooks, request: Request) -> Response:
    """GET /v3/orders/{id}/payment_actions/refunds."""
    kept = order_in(books, request)
    return _data([order_objects.refund(kept, each) for each in books.accounts[kept.name].refunds])


def all_refunds(books: BigCommerceBooks, request: Request) -> Response:
    """GET /v3/orders/payment_actions/refunds: of many orders, by refund id."""
    wanted = request.query_params.get("order_id:in")
    found = [
        (made.number, kept, made)
        for kept in books.orders.values()
        if wanted is None or kept.name in wanted.split(",")
        for made in books.accounts[kept.name].refunds
    ]
    page = Paged.of(request, 250, 50, Problem(422, "page and limit are numbers from 1 on")).cut(sorted(found))
    return _data([order_objects.refund(kept, made) for _, kept, made in page])


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
    for each in asked:
        if not isinstance(each, Mapping) or len(str(each.get("reason") or "")) > _LONGEST_REASON:
            raise _refused("an item is none, or its reason is too long")
        if each.get("item_type") == "PRODUCT":
            items.append(_product(books, kept, each, items))
        elif each.get("item_type") in _AMOUNTS:
            items.append(_amount(kept, each))
        else:
            raise _refused("item_type is none that can be refunded")
    shipping = sum(item.amount for item in items if item.kind == "SHIPPING")
    if account.refunded_of("SHIPPING") + shipping > account.bill.shipping.inc_tax:
        raise _refused("the amount is more than is left of the shipping")
    if account.refunded + sum(item.amount for item in items) > account.bill.total.inc_tax:
        raise _refused("the amount is more than is left of the order")
    return items


def _product(
    books: BigCommerceBooks, kept: ShopOrder, asked: Mapping[str, Any], before: Sequence[RefundItem]
) -> RefundItem:
    by_number = {str(line_number(kept, line_id)): line_id for line_id in kept.lines}
    line_id, units = by_number.get(str(asked.get("item_id"))), asked.get("quantity")
    if line_id is None or type(units) is not int or units < 1:
        raise _refused("an item is no product of the order, or has no quantity")
    if any(item.line_id == line_id for item in before):
        raise _refused("an item is named twice")
    if books.accounts[kept.name].refunded_units(line_id) + units > kept.lines[line_id].ordered.quantity:
        raise _refused("the quantity is more than is left of the item")
    return books.product_item(kept, line_id, units, str(asked.get("reason") or ""))


def _amount(kept: ShopOrder, asked: Mapping[str, Any]) -> RefundItem:
    kind = str(asked["item_type"])
    # By the address of the order where it is of a consignment, by the order's own id where it is not.
    item_id = address_number(kept) if kind in ("SHIPPING", "HANDLING") else int(kept.name)
    if asked.get("item_id") != item_id:
        raise _refused("item_id is none of the order")
    return RefundItem(kind, item_id, 0, _minor(asked.get("amount")), reason=str(asked.get("reason") or ""))


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
