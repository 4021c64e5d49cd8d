"""A plain client of the simulated Vendure, sharing nothing with the connector, and orders that the world places."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from tests.connectors.connectors_state import LastingState
from tests.connectors.order_changes import Perils

from trueup.connectors.base import Writer
from trueup.connectors.one_by_one import Clerk, OneByOneWriter
from trueup.connectors.vendure.api import AdminApi, connect_api
from trueup.domain.connections import ConnectionDetails
from trueup.sandbox.server import Sandbox
from trueup.sandbox.vendors.vendure.simulator import VendureSimulator
from trueup.sandbox.world.entries import (
    LineQuantity,
    Order,
    OrderCancelled,
    OrderEntered,
    OrderLine,
    OrderReturned,
    OrderShipped,
)
from trueup.sandbox.world.layout import Layout
from trueup.sandbox.world.money import Currencies
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
    Tax,
)
from trueup.sandbox.world.settings import WorldSettings

SYSTEM = "vendure"
TENANTS = Path(__file__).resolve().parents[1] / "peers" / "tenants"
QUIET = WorldSettings(skus=20, wrong_share=0.0, intensity=0.0, layout=Layout.read(TENANTS / "peers"))
POUNDS = Currencies("GBP", "GBP")
WRITES = frozenset({"add_fulfilment", "move_fulfilment", "refund_order", "pay_out_refund", "cancel_order"})
_ERROR = "__typename ... on ErrorResult { errorCode message }"
ORDER = """query Order($id: ID!) { order(id: $id) {
  id state nextStates updatedAt totalWithTax subTotalWithTax shippingWithTax
  lines { id quantity orderPlacedQuantity proratedUnitPriceWithTax proratedLinePriceWithTax }
  payments { id method amount state refunds { id total shipping items state reason transactionId lines {
    orderLineId quantity
  } } }
  fulfillments { id state method trackingCode lines { orderLineId quantity } }
} }"""
ADD = f"""mutation Add($input: FulfillOrderInput!) {{ addFulfillmentToOrder(input: $input) {{
  {_ERROR} ... on InsufficientStockOnHandError {{ stockOnHand }} ... on Fulfillment {{ id state }}
}} }}"""
MOVE = f"""mutation Move($id: ID!, $state: String!) {{ transitionFulfillmentToState(id: $id, state: $state) {{
  {_ERROR} ... on FulfillmentStateTransitionError {{ transitionError fromState toState }} ... on Fulfillment {{ state }}
}} }}"""
CANCEL = f"""mutation Cancel($input: CancelOrderInput!) {{ cancelOrder(input: $input) {{
  {_ERROR} ... on OrderStateTransitionError {{ transitionError }} ... on Order {{ state totalWithTax }}
}} }}"""
REFUND = f"""mutation Refund($input: RefundOrderInput!) {{ refundOrder(input: $input) {{
  {_ERROR} ... on RefundAmountError {{ maximumRefundable }} ... on RefundOrderStateError {{ orderState }}
  ... on Refund {{ id state total items }}
}} }}"""
PAY_OUT = f"""mutation PayOut($input: SettleRefundInput!) {{ settleRefund(input: $input) {{
  {_ERROR} ... on Refund {{ state transactionId }}
}} }}"""


class Shop:
    """The shop of a running sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        simulator = sandbox.simulators[SYSTEM]
        if not isinstance(simulator, VendureSimulator):
            raise TypeError(SYSTEM)
        self.simulator, self.world = simulator, sandbox.world
        reported = sandbox.describe()["connections"][f"trueup_peers_{SYSTEM}"]
        self.client = httpx.Client(trust_env=False, timeout=10)
        self.url, self._login = reported["host"], (reported["login"], reported["password"])
        self._token: str | None = None

    def post(self, query: str, **variables: object) -> httpx.Response:
        """One GraphQL request, whatever comes of it."""
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        return self.client.post(self.url, json={"query": query, "variables": variables}, headers=headers)

    def answer(self, query: str, **variables: object) -> dict[str, Any]:
        """The whole answer of one request with a session."""
        if self._token is None:
            login = "mutation($u: String!, $p: String!) { login(username: $u, password: $p) { __typename } }"
            self._token = self.post(login, u=self._login[0], p=self._login[1]).headers["vendure-auth-token"]
        found: dict[str, Any] = self.post(query, **variables).json()
        return found

    def ask(self, query: str, **variables: object) -> Any:  # noqa: ANN401 - JSON
        """The only field of a request that succeeds."""
        answer = self.answer(query, **variables)
        assert "errors" not in answer, answer["errors"]
        (field,) = answer["data"].values()
        return field

    def goods(self, units: int = 2, price: int = 1000, index: int = 0) -> OrderLine:
        """A line of an order that the world places, of a product that is on the shelf."""
        sku = list(self.simulator.books.stock)[index]
        self.simulator.books.stock[sku].on_hand = 100
        return OrderLine(f"l{index}", sku, sku, f"Product {index}", units, price)


class Placed:
    """An order that the world wrote into the shop's books."""

    def __init__(
        self, shop: Shop, lines: Sequence[OrderLine], money: OrderMoney | None = None, name: str = "7"
    ) -> None:
        self.shop, self.name = shop, name
        order = Order(name, SYSTEM, shop.world.now(), "GB", tuple(lines), money=money or priced(lines))
        shop.world.post(OrderEntered(**self._header(), order=order))

    def _header(self) -> Any:  # noqa: ANN401 - the head of any entry
        return self.shop.world.header(SYSTEM, 0)

    def read(self) -> dict[str, Any]:
        """The order as a client sees it now."""
        found: dict[str, Any] = self.shop.ask(ORDER, id=self.name)
        return found

    def line(self, index: int = 0) -> str:
        """The id of a line."""
        return str(self.read()["lines"][index]["id"])

    def payment(self, index: int = 0) -> dict[str, Any]:
        """A payment."""
        found: dict[str, Any] = self.read()["payments"][index]
        return found

    def set_state(self, state: str) -> None:
        """Staff do something else with the order meanwhile."""
        self.shop.simulator.books.accounts[self.name].state = state

    def ship(self, line: OrderLine, units: int) -> None:
        """The location sends goods, and the world tells the shop."""
        self._tell(OrderShipped, line, units, location_id="WH-EAST", reference="SH1")

    def bring_back(self, line: OrderLine, units: int) -> None:
        """A customer sends goods back, and the world tells the shop."""
        self._tell(OrderReturned, line, units, location_id="WH-EAST", reference="RT1")

    def call_off(self, line: OrderLine, units: int, *, is_whole: bool = False) -> None:
        """The customer wants units no more."""
        self._tell(OrderCancelled, line, units, is_restocked=True, is_whole=is_whole)

    def _tell(self, entry: Callable[..., Any], line: OrderLine, units: int, **facts: object) -> None:
        part = LineQuantity(line.line_id, line.sku, units)
        shop = self.shop
        shop.world.post(entry(**self._header(), order_name=self.name, lines=(part,), channel_id=SYSTEM, **facts))


def priced(
    lines: Sequence[OrderLine], *payments: Payment, off: int = 0, postage: int = 0, tax: str | None = None
) -> OrderMoney:
    """Money of an order: a discount of the whole order on its first line, postage, the payments; none: one by card."""
    rule = DiscountRule(DiscountKind.CODE, "THANKS", DiscountTarget.ORDER, fixed=POUNDS.of(off))
    taxes = (Tax("VAT", Decimal(tax), POUNDS.of(0)),) if tax else ()
    money = {
        line.line_id: LineMoney(
            POUNDS.of(line.unit_price_minor),
            line.quantity,
            discounts=(Discount(0, POUNDS.of(off)),) if off and number == 0 else (),
            taxes=taxes,
        )
        for number, line in enumerate(lines)
    }
    shipping = (ShippingMoney("STANDARD", "Standard", POUNDS.of(postage)),) if postage else ()
    unpaid = OrderMoney(POUNDS, True, (rule,) if off else (), money, shipping)
    return replace(unpaid, payments=payments or (paid(unpaid.total.shop),))


def paid(amount: int, gateway: Gateway = Gateway.CARD, kind: PaymentKind = PaymentKind.SALE) -> Payment:
    """A payment of the world's."""
    return Payment(gateway, kind, PaymentStatus.SUCCESS, POUNDS.of(amount))


def shop_details(sandbox: Sandbox) -> ConnectionDetails:
    """The shop's connection."""
    reported: Mapping[str, Any] = sandbox.describe()["connections"][f"trueup_peers_{SYSTEM}"]
    return ConnectionDetails(conn_id=f"trueup_peers_{SYSTEM}", **reported)


def builder(sandbox: Sandbox, perils: Perils, clerk: Callable[[AdminApi], Clerk]) -> Callable[[], Writer]:
    """Builds the writer of a new process each time."""
    state = LastingState()

    def built() -> Writer:
        api = connect_api(shop_details(sandbox), state)
        api.ask = perils.around(api.ask)  # type: ignore[method-assign]  # a line that can break
        return OneByOneWriter(clerk(api))

    return built
