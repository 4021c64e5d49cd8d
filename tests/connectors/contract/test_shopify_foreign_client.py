"""A client that is not ours gets the answers it reads: Microsoft's connector, over HTTP, against the simulated Shopify.

Every document of it that the simulator's schema knows is sent as the connector sends it, for orders that have been
through everything, and the answer is held against the vendor's published schema. What the schema does not know is
listed with reasons in shopify_left_out.yml.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from graphql import (
    DocumentNode,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    execute_sync,
    get_operation_ast,
    parse,
    validate,
)
from tests.conftest import SHARED
from tests.connectors.contract.foreign_client import ClientDocument, client_documents
from tests.connectors.sandbox_shop import Shop
from tests.connectors.shopify_calls import Placed

from trueup.sandbox.server import Sandbox, serve
from trueup.sandbox.vendors.shopify.cost import CostMeter
from trueup.sandbox.vendors.shopify.oauth import SCOPES
from trueup.sandbox.vendors.shopify.order_payments import RefundTerms
from trueup.sandbox.vendors.shopify.return_books import everything
from trueup.sandbox.vendors.shopify.schema import API_VERSION, admin_schema
from trueup.sandbox.vendors.shopify.shop_order import ShopOrder
from trueup.sandbox.world.clock import HOUR
from trueup.sandbox.world.entries import OrderLine
from trueup.sandbox.world.money import Currencies
from trueup.sandbox.world.order_money import Gateway, LineKind, Payment, PaymentKind, PaymentStatus, plain_money
from trueup.sandbox.world.settings import WorldSettings

DOCUMENTS = list(client_documents(SHARED)) if SHARED.is_dir() else []
LISTED: Mapping[str, Any] = yaml.safe_load(Path(__file__).with_name("shopify_left_out.yml").read_text("utf-8"))
_ANY: Mapping[str, str] = {
    "StaffMember": "",
    "CustomAttributes": "[]",
    "Translations": "",
    "WebhookTopic": "ORDERS_CREATE",
    "OrderLines": "5",
    "NotifyCustomer": "false",
    "Refund": "true",
    "Restock": "true",
    "CancelReason": "OTHER",
    "MaxLengthDescription": "50",
    "Time": "2020-01-01T00:00:00Z",
    "Name": "Online stock",
    "IdempotencyKey": "foreign-client",
}
POUNDS = Currencies("GBP", "GBP")
# Each call that changes an order gets one of its own.
WRITTEN = {
    "Fulfillments/FulfillOrder": "#90001",
    "Orders/OrderCancel": "#90002",
    "Orders/MarkOrderAsPaid": "#90003",
    "Orders/CloseOrder": "#90004",
}
# What a thing is that can be one of several; the client's answers do not say.
_KINDS = {
    "PurchasingEntity": "Customer",
    "PaymentDetails": "CardPaymentDetails",
    "ReturnLineItemType": "ReturnLineItem",
}


def names_of(section: str) -> set[str]:
    return {name for entry in LISTED[section] for name in entry["documents"]}


LEFT_OUT, REFUSED, NOTED_OTHERWISE = (names_of(section) for section in ("left_out", "refused", "costs"))
ANSWERED = [document for document in DOCUMENTS if document.name not in LEFT_OUT | REFUSED]


def any_values(document: ClientDocument) -> dict[str, str]:
    """Something of the right kind for each placeholder, to see whether the schema knows the document at all."""
    return {name: _ANY.get(name, "1") for name in document.names}


def is_known(document: ClientDocument) -> bool:
    parsed = document.parsed(any_values(document))
    return parsed is not None and not validate(admin_schema(), parsed)


@pytest.mark.skipif(not DOCUMENTS, reason="no shared/ beside the checkout: the connector's documents live there")
class TestTheList:
    """shopify_left_out.yml is exact."""

    def test_what_is_left_out_is_what_the_schema_does_not_know(self) -> None:
        """A document that is answered meanwhile comes off the list; one that is not any more does not go unnoticed."""
        assert {document.name for document in DOCUMENTS if not is_known(document)} == LEFT_OUT

    def test_every_reason_is_said_once(self) -> None:
        names = [name for section in LISTED.values() for entry in section for name in entry["documents"]]
        assert len(names) == len(set(names))
        assert all(entry["reason"].strip() for section in LISTED.values() for entry in section)

    def test_no_read_of_orders_is_left_out(self) -> None:
        """Orders, fulfilment orders, returns, refunds and transactions are what the list must not grow into."""
        subjects = ("Orders/Get", "Fulfillments/Get", "Returns/Get", "Refunds/Get", "Payments/GetOrderTransactions")
        assert [name for name in LEFT_OUT | REFUSED if name.startswith(subjects)] == []


@pytest.mark.parametrize("document", [d for d in ANSWERED if d.name not in NOTED_OTHERWISE], ids=lambda each: each.name)
def test_a_query_costs_what_the_client_has_noted(document: ClientDocument) -> None:
    """The connector's authors wrote down what Shopify charges; our formula is held against it."""
    parsed = document.parsed(any_values(document))
    assert parsed is not None
    assert CostMeter(admin_schema(), parsed, document.variables()).requested() == document.cost


@pytest.fixture(scope="module")
def published(shared_folder: Path) -> GraphQLSchema:
    sdl = (shared_folder / "specs" / "shopify" / f"admin-{API_VERSION}.graphql").read_text(encoding="utf-8")
    return build_schema(sdl, assume_valid=True)


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """A store after five days in which much happened to its orders."""
    with serve(WorldSettings(skus=30, intensity=2.5, wrong_share=0.1, order_incidents=2.0)) as running:
        running.world.step(131 * HOUR)
        shop = Shop(running)
        shop.simulator.tuning({"points_per_second": 1e6, "bucket_size": 1e6, "scopes": ",".join(SCOPES)})
        process_returns(running, shop)
        place_orders(shop)
        yield shop
        shop.client.close()


def process_returns(sandbox: Sandbox, shop: Shop) -> None:
    """Staff deal with every return that waits, and refund it."""
    books = shop.simulator.books
    for order in books.orders.values():
        for found in order.return_list:
            if found.status == "OPEN":
                what = everything(found, books.location)
                books.return_books.process(found, what, sandbox.world.now(), RefundTerms())


def place_orders(shop: Shop) -> None:
    """One new order for each call that changes one."""
    for number, name in enumerate(WRITTEN.values()):
        sku = shop.skus(1)[0]
        line = OrderLine(f"l{number}", sku, sku, "Product", 2, 1_000)
        unpaid = plain_money(POUNDS, [(line.line_id, 1_000, 2, LineKind.GOODS)])
        announced = Payment(Gateway.BANK, PaymentKind.SALE, PaymentStatus.PENDING, unpaid.total)
        Placed(shop, [line], money=replace(unpaid, payments=(announced,)), name=name)


def richest(shop: Shop) -> ShopOrder:
    """The order of which there is most to tell."""
    orders = shop.simulator.books.orders.values()
    return max(
        orders,
        key=lambda order: (
            bool(order.return_list) + bool(order.refund_list) + bool(order.fulfillment_list),
            any(each.exchanges for each in order.return_list),
            len(order.lines) + len(order.transactions),
        ),
    )


def values_of(shop: Shop, document: ClientDocument) -> dict[str, str]:
    """Ids of real objects for a document's placeholders."""
    books = shop.simulator.books
    order = richest(shop)
    if document.name in WRITTEN:
        order = books.orders[WRITTEN[document.name]]
    variant = next(iter(books.variants.values()))
    returned = order.return_list[0] if order.return_list else None
    refund = order.refund_list[0] if order.refund_list else None
    values: dict[str, object] = {
        "OrderId": order.number,
        "FulfillmentId": order.fulfillment_list[0].number if order.fulfillment_list else 1,
        "FulfillmentOrderId": order.plans[0].number,
        "ReturnId": 1 if returned is None else returned.number,
        "RefundId": 1 if refund is None else refund.number,
        "FulfillOrderId": "" if returned is None else returned.reverse_orders[0].id,
        "LocationId": books.location.number,
        "Id": books.location.number,
        "ProductId": variant.product.number,
        "VariantId": variant.number,
        "SKU": variant.sku,
        "Barcode": variant.barcode,
        "SubscriptionId": 1,
    }
    return {name: str(values[name]) if name in values else _ANY.get(name, "") for name in document.names}


def first_cursor(answer: object) -> str | None:
    """The first cursor that an answer holds."""
    if isinstance(answer, Mapping):
        for name, value in answer.items():
            if name in ("endCursor", "cursor") and isinstance(value, str):
                return value
            found = first_cursor(value)
            if found is not None:
                return found
    if isinstance(answer, list):
        return next((cursor for each in answer if (cursor := first_cursor(each)) is not None), None)
    return None


def send(shop: Shop, document: ClientDocument) -> tuple[DocumentNode, dict[str, Any]]:
    """Send a document as the client does; one for the next page with the cursor of the page before."""
    values = values_of(shop, document)
    if "After" in values:
        before = document.name.replace("GetNext", "Get", 1)
        found = next((each for each in DOCUMENTS if each.name == before), None)
        cursor = None if found is None else first_cursor(send(shop, found)[1])
        values["After"] = cursor or "eyJsYXN0X2lkIjowLCJsYXN0X3ZhbHVlIjowfQ=="
    query = document.filled(values)
    return parse(query), shop.ask(query, **document.variables())


def problems(schema: GraphQLSchema, document: DocumentNode, data: Mapping[str, Any]) -> list[str]:
    """What the vendor's schema has against an answer: a field that was read and is not there, a wrong type, a null."""

    def kind_of(_: object, __: object, kind: Any) -> str:  # noqa: ANN401
        return _KINDS[kind.name]

    run = execute_sync(
        schema,
        document,
        root_value=data,
        variable_values={"input": {"name": "on_hand", "reason": "correction", "quantities": []}},
        field_resolver=lambda source, info, **_: source[info.path.key],
        type_resolver=kind_of,
    )
    return [str(error) for error in run.errors or ()] or ([] if run.data == data else ["more than was asked for"])


@pytest.mark.parametrize("document", ANSWERED, ids=lambda each: each.name)
def test_the_client_gets_the_fields_it_reads(shop: Shop, published: GraphQLSchema, document: ClientDocument) -> None:
    """Bar of the foreign client: an answer without errors, of the vendor's own types, for each document."""
    parsed, answer = send(shop, document)

    assert answer.get("errors") is None, answer["errors"]
    operation = get_operation_ast(parsed)
    assert operation is not None
    root = next(iter(answer["data"].values()))
    assert root is not None, "nothing was found to answer with"
    assert validate(published, parsed) == []
    assert problems(published, parsed, answer["data"]) == []
    errors = root.get("userErrors") or root.get("orderCancelUserErrors") if isinstance(root, Mapping) else None
    assert document.name == "Base/DeleteWebhookSubscription" or not errors


@pytest.mark.parametrize("document", [d for d in DOCUMENTS if d.name in REFUSED], ids=lambda each: each.name)
def test_what_shopify_would_refuse_is_refused(shop: Shop, document: ClientDocument) -> None:
    words = next(entry["words"] for entry in LISTED["refused"] if document.name in entry["documents"])
    assert send(shop, document)[1]["errors"][0]["message"] == words


def test_the_answers_have_something_in_them(shop: Shop) -> None:
    """Lists that are all empty would pass every check."""
    order = richest(shop)
    assert order.return_list
    assert order.refund_list
    assert any(each.exchanges for each in order.return_list)
    assert any(len(each.plans) > 1 for each in shop.simulator.books.orders.values())


def test_a_field_that_is_missing_is_noticed(published: GraphQLSchema) -> None:
    """The comparison itself can fail."""
    document = parse("{ order(id: 1) { id name } }")
    assert problems(published, document, {"order": {"id": "gid://shopify/Order/1"}})
    assert isinstance(published.type_map["PaymentDetails"], GraphQLUnionType)
