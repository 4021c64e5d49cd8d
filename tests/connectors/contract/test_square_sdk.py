"""Square's official client reads the simulated Square: orders, payments and refunds, and refunds and writes there.

The client knows every object that Square has. What the simulator leaves out of them on purpose is in `LEFT_OUT`, and
the calls that it does not answer in `UNANSWERED`, each with the reason; both lists are exact.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
from pydantic import BaseModel
from square import Square
from square.core.api_error import ApiError
from square.orders.client import OrdersClient
from square.payments.client import PaymentsClient
from square.refunds.client import RefundsClient
from square.requests.money import MoneyParams
from square.requests.order import OrderParams
from square.types.order import Order
from square.types.order_line_item import OrderLineItem
from square.types.order_return import OrderReturn
from square.types.order_return_line_item import OrderReturnLineItem
from square.types.order_service_charge import OrderServiceCharge
from square.types.payment import Payment
from square.types.payment_refund import PaymentRefund
from square.types.tender import Tender
from square.utils.webhooks_helper import verify_signature
from tests.connectors.contract.vendor_calls import VendorCalls
from tests.connectors.sandbox_webhooks import receive_webhooks

from trueup.sandbox.server import Sandbox, serve
from trueup.sandbox.vendors.square.books import SquareBooks
from trueup.sandbox.world import entries
from trueup.sandbox.world.entries import LineQuantity, OrderCancelled, OrderEntered, OrderLine, TillReturned
from trueup.sandbox.world.settings import WorldSettings

_DAYS = 5
_NOBODY = "the world's customers have no names"
_STAFF = "the world's staff have no names"
_UNDATED = "the sandbox's catalog has one version"
_WEIGHED = "nothing is sold by weight"
_NO_CATALOG = "taxes, discounts and charges are not kept in the catalog"
_NO_MODIFIERS = "products have no modifiers"
_OTHER_WAYS = "customers pay by card, gift card and cash, or another channel took the money"
_NO_FEES = "no application takes a share"
_AT_ONCE = "a payment is taken in full when it is made; nothing is delayed or only authorised"
_NOT_TRADE = "holds nothing of the trade"

LEFT_OUT: Mapping[type[BaseModel], Mapping[str, str]] = {
    Order: {
        "customer_id": _NOBODY,
        "rounding_adjustment": "cash is paid to the penny in Britain",
        "pricing_options": "prices are those of the lines; no rules apply by themselves",
        "rewards": "there is no loyalty programme",
    },
    OrderLineItem: {
        "quantity_unit": _WEIGHED,
        "catalog_version": _UNDATED,
        "metadata": _NOT_TRADE,
        "modifiers": _NO_MODIFIERS,
        "applied_service_charges": "charges are of the whole order and apportioned to no line",
        "pricing_blocklists": _NO_CATALOG,
    },
    OrderServiceCharge: {
        "catalog_object_id": _NO_CATALOG,
        "catalog_version": _NO_CATALOG,
        "percentage": "charges are amounts",
        "metadata": _NOT_TRADE,
        "scope": "only apportioned charges have one",
    },
    OrderReturn: {
        "return_tips": "a tip stays with the staff",
        "rounding_adjustment": "cash is paid to the penny in Britain",
    },
    OrderReturnLineItem: {
        "quantity_unit": _WEIGHED,
        "note": _NOT_TRADE,
        "catalog_version": _UNDATED,
        "variation_name": "each product has one variation",
        "return_modifiers": _NO_MODIFIERS,
        "applied_service_charges": "charges are of the whole order and apportioned to no line",
    },
    Tender: {
        "note": _NOT_TRADE,
        "customer_id": _NOBODY,
        "bank_account_details": _OTHER_WAYS,
        "buy_now_pay_later_details": _OTHER_WAYS,
        "square_account_details": _OTHER_WAYS,
        "additional_recipients": _NO_FEES,
    },
    Payment: {
        "app_fee_money": _NO_FEES,
        "app_fee_allocations": _NO_FEES,
        "delay_duration": _AT_ONCE,
        "delay_action": _AT_ONCE,
        "delayed_until": _AT_ONCE,
        "capabilities": _AT_ONCE,
        "bank_account_details": _OTHER_WAYS,
        "electronic_money_details": _OTHER_WAYS,
        "wallet_details": _OTHER_WAYS,
        "buy_now_pay_later_details": _OTHER_WAYS,
        "square_account_details": _OTHER_WAYS,
        "buyer_currency_exchange": _OTHER_WAYS,
        "reference_id": "the order has it",
        "customer_id": _NOBODY,
        "buyer_email_address": _NOBODY,
        "billing_address": _NOBODY,
        "shipping_address": _NOBODY,
        "employee_id": _STAFF,
        "team_member_id": _STAFF,
        "risk_evaluation": _NOT_TRADE,
        "terminal_checkout_id": "no Square Terminal is asked to check out",
        "note": _NOT_TRADE,
        "statement_description_identifier": _NOT_TRADE,
        "receipt_url": _NOT_TRADE,
        "device_details": _NOT_TRADE,
    },
    PaymentRefund: {
        "destination_details": "a refund goes back to where the money came from, and the payment describes that",
        "app_fee_money": _NO_FEES,
        "app_fee_allocations": _NO_FEES,
        "processing_fee": "Square keeps its fee when money goes back",
        "team_member_id": _STAFF,
        "terminal_refund_id": "no Square Terminal is asked to refund",
    },
}

_BY_CUSTOMERS = "orders and payments are made by the world's customers"
_NO_ATTRIBUTES = "custom attributes hold nothing that any workflow reads"
UNANSWERED: Mapping[str, tuple[str, Callable[[Square], object]]] = {
    "orders.create": (_BY_CUSTOMERS, lambda square: square.orders.create(order={"location_id": "LONLINE"})),
    "orders.calculate": (_BY_CUSTOMERS, lambda square: square.orders.calculate(order={"location_id": "LONLINE"})),
    "orders.clone": (_BY_CUSTOMERS, lambda square: square.orders.clone(order_id="X")),
    "orders.pay": (_BY_CUSTOMERS, lambda square: square.orders.pay("X", idempotency_key="k")),
    "orders.custom_attribute_definitions": (
        _NO_ATTRIBUTES,
        lambda square: list(square.orders.custom_attribute_definitions.list()),
    ),
    "orders.custom_attributes": (_NO_ATTRIBUTES, lambda square: list(square.orders.custom_attributes.list("X"))),
    "payments.create": (_BY_CUSTOMERS, lambda square: square.payments.create(source_id="CASH", idempotency_key="k")),
    "payments.cancel_by_idempotency_key": (
        _AT_ONCE,
        lambda square: square.payments.cancel_by_idempotency_key(idempotency_key="k"),
    ),
    "payments.update": (_AT_ONCE, lambda square: square.payments.update("X", idempotency_key="k")),
    "payments.cancel": (_AT_ONCE, lambda square: square.payments.cancel("X")),
    "payments.complete": (_AT_ONCE, lambda square: square.payments.complete("X")),
}
ANSWERED = {
    "orders.batch_get",
    "orders.search",
    "orders.get",
    "orders.update",
    "payments.list",
    "payments.get",
    "refunds.list",
    "refunds.get",
    "refunds.refund_payment",
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Days of trade, and what is too rare to wait for."""
    with serve(WorldSettings(skus=40)) as running:
        running.world.step(_DAYS * 86_400)
        ship_for_another_channel(running)
        cancel_a_small_order(running)
        return_what_was_discounted(running)
        running.world.step(3600)
        yield running


def header(sandbox: Sandbox) -> Any:  # noqa: ANN401 - the fields of any entry's header
    return sandbox.world.header("square", 0)


def enter(sandbox: Sandbox, name: str, channel_id: str, *lines: OrderLine) -> None:
    order = entries.Order(name, channel_id, sandbox.world.now(), "GB", lines)
    sandbox.world.post(OrderEntered(**header(sandbox), order=order))


def ship_for_another_channel(sandbox: Sandbox) -> None:
    """Another shop's order with postage, which a store is to send."""
    enter(sandbox, "#9001", "shopify_main", OrderLine("L1", None, "POST", "Postage", 1, 395))


def cancel_a_small_order(sandbox: Sandbox) -> None:
    """All of an online order so small that its delivery is charged for."""
    sku = min(sandbox.world.opening_listing("square_online"))
    enter(sandbox, "SQ9001", "square_online", OrderLine("L1", sku, sku, "A product", 1, 495))
    cancelled = OrderCancelled(
        **header(sandbox),
        order_name="SQ9001",
        lines=(LineQuantity("L1", sku, 1),),
        is_restocked=True,
        is_whole=True,
        channel_id="square_online",
    )
    sandbox.world.post(cancelled)


def return_what_was_discounted(sandbox: Sandbox) -> None:
    """The goods of a till's sale that had a discount."""
    simulator: Any = sandbox.simulators["square"]
    books: SquareBooks = simulator.books
    sale = next(each for each in books.orders.by_id.values() if "discounts" in each and "fulfillments" not in each)
    kept = books.orders.kept(sale["id"])
    assert kept is not None
    lines = tuple(
        OrderLine(line_id, books.catalog.skus[item["catalog_object_id"]], "", item["name"], int(item["quantity"]), 0)
        for line_id in kept.uids
        if (item := kept.item(line_id)) is not None
    )
    place = next(own for own, source in books.stores.items() if source == sale["location_id"])
    number = sale["reference_id"]
    back = TillReturned(
        **header(sandbox), reference=f"Y{number}", sold_reference=number, location_id=place, lines=lines
    )
    sandbox.world.post(back)


@pytest.fixture(scope="module")
def square(sandbox: Sandbox) -> Square:
    """The client as its readme makes it, with a token got as an application gets one."""
    calls = VendorCalls(sandbox, "square").log_in()
    token = calls.headers["Authorization"].removeprefix("Bearer ")
    calls.close()
    return Square(base_url=str(calls.connection["host"]), token=token)


@pytest.fixture(scope="module")
def locations(square: Square) -> list[str]:
    return [str(location.id) for location in square.locations.list().locations or ()]


@pytest.fixture(scope="module")
def orders(square: Square, locations: list[str]) -> list[Order]:
    """All orders, page by page."""
    found: list[Order] = []
    query = {"sort": {"sort_field": "UPDATED_AT", "sort_order": "ASC"}}
    cursor = None
    while True:
        page = square.orders.search(location_ids=locations, limit=100, query=query, cursor=cursor)
        found += page.orders or ()
        cursor = page.cursor
        if not cursor:
            return found


@pytest.fixture(scope="module")
def payments(square: Square, locations: list[str]) -> list[Payment]:
    return [each for place in locations for each in square.payments.list(location_id=place, limit=40)]


def pence(*money: Any) -> int:  # noqa: ANN401 - Money or None
    return sum(each.amount for each in money if each is not None)


def test_every_order_is_paid_by_its_payments(orders: list[Order], payments: list[Payment]) -> None:
    """A bookkeeper's first question: the money of the orders is the money that was taken."""
    by_id = {payment.id: payment for payment in payments}
    tenders = [tender for order in orders for tender in order.tenders or ()]
    assert {tender.payment_id for tender in tenders} == set(by_id)
    for tender in tenders:
        assert pence(tender.amount_money) == pence(by_id[tender.payment_id].total_money)
    assert pence(*(order.total_money for order in orders)) == pence(*(payment.total_money for payment in payments)) > 0


def test_the_net_of_all_orders_is_what_was_taken_less_what_went_back(
    square: Square, orders: list[Order], payments: list[Payment]
) -> None:
    """Every refund is in a return order, and every return order's refunds are in the list."""
    refunds = list(square.refunds.list(limit=7))
    amounts = [order.net_amounts for order in orders]
    assert None not in amounts
    net = pence(*(each.total_money for each in amounts if each is not None))
    assert net == pence(*(payment.total_money for payment in payments)) - pence(
        *(each.amount_money for each in refunds)
    )
    reported = {refund.id for order in orders for refund in order.refunds or ()}
    assert reported == {refund.id for refund in refunds} != set()


def test_the_client_refunds_and_cannot_refund_too_much(square: Square, payments: list[Payment]) -> None:
    """The same request twice is one refund; a refusal comes as the client's own error."""
    payment = next(each for each in payments if each.source_type == "CARD" and not each.refund_ids)
    money = {"amount": pence(payment.total_money), "currency": "GBP"}
    asked: dict[str, Any] = {
        "idempotency_key": "sdk-1",
        "payment_id": payment.id,
        "amount_money": money,
        "reason": "Goodwill",
    }
    refund = square.refunds.refund_payment(**asked).refund
    assert refund is not None
    assert (refund.status, refund.unlinked, refund.payment_id) == ("PENDING", False, payment.id)
    assert square.refunds.refund_payment(**asked).refund == refund
    assert square.refunds.get(refund.id).refund == refund
    after = square.payments.get(str(payment.id)).payment
    assert after is not None
    assert (after.refunded_money, after.refund_ids) == (payment.total_money, [refund.id])
    for changed, code in (
        ({"idempotency_key": "sdk-2"}, "REFUND_AMOUNT_INVALID"),
        ({"reason": "Another"}, "IDEMPOTENCY_KEY_REUSED"),
    ):
        with pytest.raises(ApiError) as refused:
            square.refunds.refund_payment(**{**asked, **changed})
        assert [error.code for error in refused.value.errors] == [code]


def test_the_client_writes_an_order_with_its_version(square: Square, orders: list[Order]) -> None:
    """And is refused when somebody was faster."""
    order = next(each for each in orders if each.state == "OPEN")
    assert order.version is not None
    asked: OrderParams = {"location_id": order.location_id, "version": order.version, "ticket_name": "Shelf 4"}
    written = square.orders.update(str(order.id), order=asked, idempotency_key="sdk-u1").order
    assert written is not None
    assert written.ticket_name == "Shelf 4"
    found = square.orders.batch_get(order_ids=[str(order.id), "NOBODY"]).orders
    assert found == [written] == [square.orders.get(str(order.id)).order]
    with pytest.raises(ApiError) as refused:
        square.orders.update(str(order.id), order=asked, idempotency_key="sdk-u2")
    assert refused.value.errors[0].code == "VERSION_MISMATCH"


def test_the_clients_own_check_accepts_the_webhooks(square: Square, payments: list[Payment]) -> None:
    """Signed over address and body with the subscription's key."""
    with receive_webhooks() as receiver:
        asked = {"name": "money", "event_types": ["refund.created"], "notification_url": receiver.url}
        made = square.webhooks.subscriptions.create(subscription=asked, idempotency_key="sdk-w1").subscription
        assert made is not None
        payment = next(each for each in payments if each.source_type == "CASH" and not each.refund_ids)
        money: MoneyParams = {"amount": 1, "currency": "GBP"}
        square.refunds.refund_payment(idempotency_key="sdk-w1", payment_id=payment.id, amount_money=money)
        sent = receiver.next()
        assert verify_signature(
            request_body=sent.body.decode(),
            signature_header=sent.headers["x-square-hmacsha256-signature"],
            signature_key=str(made.signature_key),
            notification_url=receiver.url,
        )
        square.webhooks.subscriptions.delete(str(made.id))


def nested(value: object) -> Iterator[BaseModel]:
    """A model and all that are in it."""
    if isinstance(value, BaseModel):
        yield value
        for name in type(value).model_fields:
            yield from nested(getattr(value, name))
    elif isinstance(value, list):
        for item in value:
            yield from nested(item)


@pytest.fixture(scope="module")
def models(square: Square, orders: list[Order], payments: list[Payment]) -> Sequence[BaseModel]:
    return [model for each in (orders, payments, list(square.refunds.list())) for model in nested(each)]


def test_the_simulator_sends_nothing_that_the_client_does_not_know(models: Sequence[BaseModel]) -> None:
    """A misspelt field would be kept by the client as an extra one, and looked for by nobody."""
    assert {(type(model).__name__, *sorted(model.model_extra)) for model in models if model.model_extra} == set()


@pytest.mark.parametrize("kind", LEFT_OUT, ids=lambda kind: kind.__name__)
def test_what_is_left_out_is_exactly_what_is_listed(
    square: Square, models: Sequence[BaseModel], kind: type[BaseModel]
) -> None:
    """A field that appears must leave the list; one that vanishes must be put there with a reason, or come back."""
    seen = {name for model in models if type(model) is kind for name in model.model_fields_set}
    # Written over the API alone: an order has them once somebody wrote them.
    written = {"ticket_name", "metadata"} if kind is Order else set()
    assert set(kind.model_fields) - seen - written == set(LEFT_OUT[kind])


def test_every_call_of_the_client_is_answered_or_listed() -> None:
    """A call that a new version of the client brings must be decided on."""
    clients = {"orders": OrdersClient, "payments": PaymentsClient, "refunds": RefundsClient}
    calls = {f"{name}.{call}" for name, client in clients.items() for call in vars(client) if not call.startswith("_")}
    plumbing = {f"{name}.with_raw_response" for name in clients}
    assert calls - plumbing == ANSWERED | set(UNANSWERED)
    assert not ANSWERED & set(UNANSWERED)


@pytest.mark.parametrize("name", UNANSWERED)
def test_a_call_that_is_left_out_is_refused(square: Square, name: str) -> None:
    """And not answered with something made up."""
    _, call = UNANSWERED[name]
    with pytest.raises(ApiError) as refused:
        call(square)
    assert refused.value.status_code in (404, 405)
