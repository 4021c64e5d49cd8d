"""The calls that change orders of the simulated Shopify, and orders placed by hand."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.connectors.sandbox_shop import Shop
from tests.connectors.shopify_orders import read_order

from trueup.sandbox.server import Sandbox
from trueup.sandbox.vendors.shopify.oauth import SCOPES
from trueup.sandbox.world.entries import LineQuantity, Order, OrderEntered, OrderLine, OrderReturned, OrderShipped
from trueup.sandbox.world.money import ZERO, Amounts, Currencies, cash_rounding
from trueup.sandbox.world.order_money import (
    Discount,
    DiscountKind,
    DiscountRule,
    DiscountTarget,
    Gateway,
    LineMoney,
    OrderMoney,
    Payment,
    PaymentKind,
    PaymentStatus,
    ShippingMoney,
)
from trueup.sandbox.world.settings import WorldSettings

# So seldom that nothing happens by itself, and still the stores know the locations that serve them.
QUIET = WorldSettings(skus=40, wrong_share=0.0, intensity=0.0, order_incidents=1e-9)
POUNDS = Currencies("GBP", "GBP")

FULFIL = """mutation Fulfil($fulfillment: FulfillmentInput!) {
  fulfillmentCreate(fulfillment: $fulfillment) {
    fulfillment {
      id status location { id } trackingInfo { number } fulfillmentLineItems(first: 20) { nodes { quantity } }
    }
    userErrors { field message }
  }
}"""
REFUND = """mutation Refund($input: RefundInput!, $key: String!) {
  refundCreate(input: $input) @idempotent(key: $key) {
    refund { id totalRefundedSet { presentmentMoney { amount } shopMoney { amount } } }
    userErrors { field message }
  }
}"""
CANCEL = """mutation Cancel($id: ID!, $restock: Boolean!, $refund: Boolean) {
  orderCancel(orderId: $id, reason: CUSTOMER, restock: $restock, refund: $refund, staffNote: "by hand") {
    job { id done } orderCancelUserErrors { code field message }
  }
}"""
PROCESS = """mutation Process($input: ReturnProcessInput!) {
  returnProcess(input: $input) { return { id status } userErrors { code field message } }
}"""
SUGGEST = """query Suggest($id: ID!, $lines: [RefundLineItemInput!], $shipping: Boolean) {
  order(id: $id) { suggestedRefund(refundLineItems: $lines, refundShipping: $shipping) {
    amountSet { presentmentMoney { amount } }
    suggestedTransactions { gateway amountSet { presentmentMoney { amount } } parentTransaction { id } }
  } }
}"""
Answer = Mapping[str, Any]


def call(shop: Shop, document: str, name: str, /, **variables: object) -> dict[str, Any]:
    """Run a mutation that is well-formed; its payload."""
    answer = shop.ask(document, **variables)
    assert "errors" not in answer, answer["errors"]
    payload: dict[str, Any] = answer["data"][name]
    return payload


class Placed:
    """An order that the world wrote into a store's books."""

    def __init__(
        self,
        shop: Shop,
        lines: Sequence[OrderLine],
        *,
        money: OrderMoney | None = None,
        routed: Sequence[tuple[str, str, int]] = (),
        name: str = "#7",
    ) -> None:
        self.shop, self.name = shop, name
        self.world = shop.simulator.world
        self.system_id = shop.simulator.system_id
        order = Order(name, self.system_id, self.world.now(), "GB", tuple(lines), money=money)
        self.world.post(OrderEntered(**self._header(), order=order, routed=tuple(routed)))
        self.id = shop.simulator.books.orders[name].id

    def _header(self) -> Any:  # noqa: ANN401
        return self.world.header(self.system_id, 0)

    def read(self) -> dict[str, Any]:
        """The order as a client sees it now."""
        return read_order(self.shop, self.id)

    def line(self, index: int = 0) -> str:
        """The id of a line."""
        return str(self.read()["lineItems"]["nodes"][index]["id"])

    def ship(self, line: OrderLine, units: int, location_id: str = "WH-EAST") -> None:
        """A location sends goods, and the world tells the store."""
        part = LineQuantity(line.line_id, line.sku, units)
        shipped = OrderShipped(
            **self._header(),
            order_name=self.name,
            location_id=location_id,
            reference="SH1",
            lines=(part,),
            channel_id=self.system_id,
        )
        self.world.post(shipped)

    def bring_back(self, line: OrderLine, units: int, **terms: object) -> None:
        """A customer sends goods back, and the world tells the store."""
        facts: dict[str, Any] = {
            "order_name": self.name,
            "location_id": "WH-EAST",
            "reference": "RT1",
            "lines": (LineQuantity(line.line_id, line.sku, units),),
            "channel_id": self.system_id,
            **terms,
        }
        self.world.post(OrderReturned(**self._header(), **facts))

    def refund(self, key: str, **asked: object) -> dict[str, Any]:
        """Run `refundCreate`."""
        return call(self.shop, REFUND, "refundCreate", input={"orderId": self.id, **asked}, key=key)

    def payment(self, amount: str, index: int = 0) -> dict[str, Any]:
        """A transaction of a refund's input: so much of a payment goes back."""
        paid = [each for each in self.read()["transactions"] if each["kind"] in ("SALE", "CAPTURE")][index]
        return {
            "orderId": self.id,
            "parentId": paid["id"],
            "gateway": paid["gateway"],
            "kind": "REFUND",
            "amount": amount,
        }


def fulfil(shop: Shop, *plans: Answer, **tracking: object) -> dict[str, Any]:
    """Run `fulfillmentCreate` over whole fulfilment orders."""
    named = [{"fulfillmentOrderId": plan["id"]} for plan in plans]
    asked = {"lineItemsByFulfillmentOrder": named, "trackingInfo": tracking or None}
    return call(shop, FULFIL, "fulfillmentCreate", fulfillment=asked)


def fresh_shop(served: Sandbox) -> Shop:
    """The main store in a world that begins anew, with every scope and all the points it wants."""
    served.world.reset()
    shop = Shop(served)
    shop.simulator.tuning({"points_per_second": 1e6, "bucket_size": 1e6, "scopes": ",".join(SCOPES)})
    return shop


def goods(shop: Shop, units: int = 2, price: int = 1000, index: int = 0) -> OrderLine:
    sku = shop.skus(index + 1)[index]
    return OrderLine(f"l{index}", sku, sku, f"Product {index}", units, price)


def paid(due: Amounts, gateway: Gateway = Gateway.CARD, kind: PaymentKind = PaymentKind.SALE) -> Payment:
    card = "Visa" if gateway is Gateway.CARD else None
    rounding = cash_rounding(due) if gateway is Gateway.CASH else ZERO
    status = PaymentStatus.PENDING if gateway is Gateway.BANK else PaymentStatus.SUCCESS
    return Payment(gateway, kind, status, due, rounding, card)


def priced(
    line: OrderLine,
    *payments: Payment,
    currencies: Currencies = POUNDS,
    off: int = 0,
    postage: int = 0,
) -> OrderMoney:
    """Money of an order of one line: a discount of the whole order, postage, the payments; none: one by card."""
    off_line = (Discount(0, currencies.of(off)),) if off else ()
    rule = DiscountRule(DiscountKind.CODE, "THANKS", DiscountTarget.ORDER, fixed=currencies.of(off))
    lines = {line.line_id: LineMoney(currencies.of(line.unit_price_minor), line.quantity, discounts=off_line)}
    shipping = (ShippingMoney("STANDARD", "Standard", currencies.of(postage)),) if postage else ()
    unpaid = OrderMoney(currencies, True, (rule,) if off else (), lines, shipping)
    return OrderMoney(currencies, True, unpaid.rules, lines, shipping, payments or (paid(unpaid.total),))


def plans(order: dict[str, Any]) -> list[dict[str, Any]]:
    return list(order["fulfillmentOrders"]["nodes"])


def message(payload: dict[str, Any]) -> str:
    return str(payload["userErrors"][0]["message"])
