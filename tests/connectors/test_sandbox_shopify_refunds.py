"""The simulated Shopify gives money back, takes returns and exchanges goods as Shopify does."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from tests.connectors.sandbox_shop import Shop
from tests.connectors.shopify_calls import (
    POUNDS,
    PROCESS,
    QUIET,
    REFUND,
    SUGGEST,
    Placed,
    call,
    fresh_shop,
    goods,
    message,
    paid,
    priced,
)
from tests.connectors.shopify_orders import both, check_order

from trueup.sandbox.server import Sandbox, serve
from trueup.sandbox.world.money import Currencies
from trueup.sandbox.world.order_money import Gateway, LineMoney

EUROS = Currencies("GBP", "EUR", Decimal("1.17"))


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    with serve(QUIET) as running:
        yield running


@pytest.fixture
def shop(served: Sandbox) -> Iterator[Shop]:
    shop = fresh_shop(served)
    yield shop
    shop.client.close()


class TestRefunds:
    """`refundCreate`."""

    def test_a_refund_needs_an_idempotency_key(self, shop: Shop) -> None:
        """Mandatory since 2026-04, though the schema does not say so."""
        placed = Placed(shop, [goods(shop)])
        bare = REFUND.replace(" @idempotent(key: $key)", "").replace(", $key: String!", "")
        answer = shop.ask(bare, input={"orderId": placed.id, "transactions": [placed.payment("1.0")]})
        assert "@idempotent" in answer["errors"][0]["message"]

    def test_the_same_refund_again_pays_once(self, shop: Shop) -> None:
        """A lost answer is sent again; another body under the same key is refused (R7)."""
        placed = Placed(shop, [goods(shop)])
        asked = {"transactions": [placed.payment("3.0")], "note": "sorry"}
        first = placed.refund("k", **asked)
        assert placed.refund("k", **asked) == first
        assert len(placed.read()["refunds"]) == 1
        other = placed.refund("k", transactions=[placed.payment("4.0")])
        assert "different operation parameters" in message(other)

    def test_money_without_goods_is_an_adjustment_with_a_name(self, shop: Shop) -> None:
        """An apology takes nothing off the order, and the goods that come back later bring the rest (R11, R12)."""
        line = goods(shop, 2)
        placed = Placed(shop, [line])
        placed.ship(line, 2)
        placed.refund("a", transactions=[placed.payment("5.0")], discrepancyReason="CUSTOMER")
        order = placed.read()
        assert both(order["refundDiscrepancySet"])[0] == Decimal("-5.00")
        assert (both(order["totalOutstandingSet"])[0], both(order["currentTotalPriceSet"])[0]) == (
            Decimal(0),
            Decimal(20),
        )
        placed.bring_back(line, 2)
        order = placed.read()
        assert both(order["totalRefundedSet"])[0] == 20
        assert (both(order["totalOutstandingSet"])[0], order["displayFinancialStatus"]) == (Decimal(0), "REFUNDED")
        reasons = [each["reason"] for refund in order["refunds"] for each in refund["orderAdjustments"]["nodes"]]
        assert reasons == ["CUSTOMER", "FULL_RETURN_BALANCING_ADJUSTMENT"]
        check_order(order)

    def test_the_parts_of_a_line_give_back_exactly_what_was_paid(self, shop: Shop) -> None:
        """10.00 off three units of 9.99: the last unit takes the odd cent (R9, R10)."""
        line = goods(shop, 3, 999)
        placed = Placed(shop, [line], money=priced(line, off=1_000))
        placed.ship(line, 3)
        for number in range(3):
            unit = [{"lineItemId": placed.line(), "quantity": 1, "restockType": "NO_RESTOCK"}]
            suggested = call(shop, SUGGEST, "order", id=placed.id, lines=unit)["suggestedRefund"]
            amount = suggested["amountSet"]["presentmentMoney"]["amount"]
            made = placed.refund(f"k{number}", refundLineItems=unit, transactions=[placed.payment(amount)])
            assert made["userErrors"] == []
            check_order(placed.read())
        order = placed.read()
        assert both(order["totalRefundedSet"])[0] == Decimal("19.97")
        assert both(order["currentTotalPriceSet"])[0] == both(order["refundDiscrepancySet"])[0] == 0

    def test_more_than_was_bought_or_paid_is_refused(self, shop: Shop) -> None:
        """Shopify checks; a client that counts on it would still be wrong elsewhere (R12)."""
        line = goods(shop, 2)
        placed = Placed(shop, [line])
        three = [{"lineItemId": placed.line(), "quantity": 3}]
        assert message(placed.refund("a", refundLineItems=three)) == (
            "Quantity cannot refund more items than were purchased"
        )
        over = placed.refund("b", transactions=[placed.payment("20.01")])
        assert message(over) == "Refund amount $20.01 is greater than net payment received $20.00"
        twice = [placed.payment("15.0"), placed.payment("6.0")]
        assert "greater than net payment" in message(placed.refund("c", transactions=twice))
        assert placed.read()["refunds"] == []
        opened = placed.refund("d", transactions=[placed.payment("20.01")], allowOverRefunding=True)
        assert opened["userErrors"] == []

    @pytest.mark.parametrize(
        ("asked", "field"),
        [
            ({"refundLineItems": [{"lineItemId": "gid://shopify/LineItem/1", "quantity": 1}]}, "lineItemId"),
            ({"orderId": "gid://shopify/Order/1", "note": "x"}, "orderId"),
            ({"refundDuties": [{"dutyId": "gid://shopify/Duty/1"}]}, "dutyId"),
        ],
    )
    def test_what_the_store_does_not_know_is_refused(self, shop: Shop, asked: dict[str, Any], field: str) -> None:
        placed = Placed(shop, [goods(shop)])
        refused = placed.refund("k", **asked)
        assert refused["refund"] is None
        assert refused["userErrors"][0]["field"][-1] == field

    def test_a_refund_is_in_the_currency_that_was_paid(self, shop: Shop) -> None:
        """In the shop's currency it would be another amount (R6); the answer says in both what was refunded."""
        line = goods(shop, 2, 1_000)
        placed = Placed(shop, [line], money=priced(line, currencies=EUROS))
        half = [{"lineItemId": placed.line(), "quantity": 1, "restockType": "NO_RESTOCK"}]
        pay = [placed.payment("11.70")]
        assert message(placed.refund("a", refundLineItems=half, transactions=pay)).startswith("Currency must be")
        made = placed.refund("b", refundLineItems=half, transactions=pay, currency="EUR")
        assert made["refund"]["totalRefundedSet"] == {
            "presentmentMoney": {"amount": "11.7"},
            "shopMoney": {"amount": "10.0"},
        }
        order = placed.read()
        assert order["refunds"][0]["orderAdjustments"]["nodes"] == []
        check_order(order)

    def test_units_that_were_not_sent_are_free_again(self, shop: Shop) -> None:
        """CANCEL restocks what was promised; the plan follows."""
        line = goods(shop, 2)
        sku = str(line.sku)
        before = shop.shown(sku)
        placed = Placed(shop, [line])
        part = {"lineItemId": placed.line(), "quantity": 1, "restockType": "CANCEL", "locationId": shop.location}
        made = placed.refund("k", refundLineItems=[part], transactions=[placed.payment("10.0")])
        assert made["userErrors"] == []
        assert shop.shown(sku) == before - 1
        check_order(placed.read())

    def test_money_goes_back_before_gift_cards(self, shop: Shop) -> None:
        """A gift card is restored with the rest; its receipt names it (R14)."""
        line = goods(shop, 2)
        money = priced(line, paid(POUNDS.of(500), Gateway.GIFT_CARD), paid(POUNDS.of(1_500)))
        placed = Placed(shop, [line], money=money)
        placed.ship(line, 2)
        placed.bring_back(line, 1)
        placed.bring_back(line, 1)
        order = placed.read()
        back = [(each["gateway"], each["amountSet"]["shopMoney"]["amount"]) for each in order["transactions"][2:]]
        assert back == [("shopify_payments", "10.0"), ("shopify_payments", "5.0"), ("gift_card", "5.0")]
        check_order(order)

    def test_a_refund_may_be_pending_and_cash_is_rounded(self, shop: Shop) -> None:
        """A bank's refund is no money yet (R4); coins end in five (O12)."""
        line = goods(shop, 1, 1_003)
        placed = Placed(shop, [line], money=priced(line, paid(POUNDS.of(1_003), Gateway.CASH)))
        order = placed.read()
        assert both(order["totalCashRoundingAdjustment"]["paymentSet"])[0] == Decimal("0.02")
        assert both(order["totalReceivedSet"])[0] == Decimal("10.03")
        other = Placed(shop, [line], money=priced(line, paid(POUNDS.of(1_003), Gateway.PAYPAL)), name="#8")
        other.refund("k", transactions=[other.payment("1.0")])
        assert other.read()["refunds"][0]["transactions"]["nodes"][0]["status"] == "PENDING"
        shop.simulator.world.step(25 * 3600)
        assert other.read()["refunds"][0]["transactions"]["nodes"][0]["status"] == "SUCCESS"


class TestReturns:
    """Returns, exchanges and `returnProcess`."""

    def open_return(self, shop: Shop, units: int = 2) -> tuple[Placed, dict[str, Any]]:
        line = goods(shop, units)
        placed = Placed(shop, [line])
        placed.ship(line, units)
        placed.bring_back(line, units, is_refunded=False)
        return placed, placed.read()["returns"]["nodes"][0]

    def test_a_return_is_processed_by_parts(self, shop: Shop) -> None:
        """Restock, refund and credit are facts of their own (R3)."""
        placed, returned = self.open_return(shop)
        assert (returned["status"], placed.read()["refunds"]) == ("OPEN", [])
        way = returned["reverseFulfillmentOrders"]["nodes"][0]["lineItems"]["nodes"][0]
        before = shop.shown(shop.skus(1)[0])
        outcome = {"reverseFulfillmentOrderLineItemId": way["id"], "quantity": 1, "dispositionType": "RESTOCKED"}
        paid_back = {
            "parentId": placed.payment("10.0")["parentId"],
            "transactionAmount": {"amount": "10.0", "currencyCode": "GBP"},
        }
        line = {"id": returned["returnLineItems"]["nodes"][0]["id"], "quantity": 1}
        first = call(
            shop,
            PROCESS,
            "returnProcess",
            input={
                "returnId": returned["id"],
                "returnLineItems": [{**line, "dispositions": [{**outcome, "locationId": shop.location}]}],
                "financialTransfer": {"issueRefund": {"orderTransactions": [paid_back]}},
            },
        )
        assert first["userErrors"] == []
        assert first["return"]["status"] == "OPEN"
        assert shop.shown(shop.skus(1)[0]) == before + 1
        order = placed.read()
        assert order["refunds"][0]["refundLineItems"]["nodes"][0]["restockType"] == "RETURN"
        assert (order["refunds"][0]["return"]["id"], order["returnStatus"]) == (returned["id"], "IN_PROGRESS")
        check_order(order)
        lost = {**outcome, "dispositionType": "MISSING"}
        rest = {"returnId": returned["id"], "returnLineItems": [{**line, "dispositions": [lost]}]}
        assert call(shop, PROCESS, "returnProcess", input=rest)["return"]["status"] == "CLOSED"
        assert shop.shown(shop.skus(1)[0]) == before + 1
        closed = call(shop, PROCESS, "returnProcess", input=rest)
        assert [error["code"] for error in closed["userErrors"]] == ["INVALID_STATE"]
        check_order(placed.read())

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"returnId": "gid://shopify/Return/1"}, "NOT_FOUND"),
            ({"returnLineItems": [{"id": "gid://shopify/ReturnLineItem/1", "quantity": 1}]}, "NOT_FOUND"),
            ({"returnLineItems": []}, "BLANK"),
        ],
    )
    def test_what_cannot_be_processed_is_refused(self, shop: Shop, change: dict[str, Any], code: str) -> None:
        placed, returned = self.open_return(shop)
        line = {"id": returned["returnLineItems"]["nodes"][0]["id"], "quantity": 1}
        payload = call(
            shop, PROCESS, "returnProcess", input={"returnId": returned["id"], "returnLineItems": [line], **change}
        )
        assert [error["code"] for error in payload["userErrors"]] == [code]
        line["quantity"] = 3
        over = call(shop, PROCESS, "returnProcess", input={"returnId": returned["id"], "returnLineItems": [line]})
        assert over["userErrors"][0]["field"] == ["input", "returnLineItems", "0", "quantity"]
        assert placed.read()["refunds"] == []

    @pytest.mark.parametrize(("price", "refunded", "owed"), [(400, "6.00", 0), (1_000, "0.00", 0), (1_500, "0.00", 5)])
    def test_an_exchange_refunds_the_difference_and_no_more(
        self, shop: Shop, price: int, refunded: str, owed: int
    ) -> None:
        """The new item is in the return's exchange lines; a dearer one leaves the customer owing (R1, R2)."""
        line, instead = goods(shop, 1, 1_000), goods(shop, 1, price, index=1)
        placed = Placed(shop, [line])
        placed.ship(line, 1)
        money = {"l1": LineMoney(POUNDS.of(price), 1)}
        placed.bring_back(line, 1, exchanged=(instead,), exchanged_money=money)
        order = placed.read()
        exchanged = order["returns"]["nodes"][0]["exchangeLineItems"]["nodes"]
        assert [part["lineItems"] for part in exchanged] == [[{"id": order["lineItems"]["nodes"][1]["id"]}]]
        assert both(order["totalRefundedSet"])[0] == Decimal(refunded)
        assert both(order["totalOutstandingSet"])[0] == owed
        check_order(order)
        placed.ship(instead, 1)
        check_order(placed.read())
