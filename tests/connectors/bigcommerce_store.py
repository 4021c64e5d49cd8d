"""A BigCommerce store of a running sandbox, every answer of it held against the vendor's contract."""

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from tests.connectors.conformance.systems import TENANT, TENANTS
from tests.connectors.contract.openapi import Spec, read_spec, validate_exchange

from trueup.domain.connections import ConnectionDetails
from trueup.sandbox.server import Sandbox
from trueup.sandbox.vendors.bigcommerce.simulator import BigCommerceSimulator
from trueup.sandbox.world.entries import LineQuantity, Order, OrderEntered, OrderLine
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

SETTINGS = WorldSettings(skus=30, wrong_share=0.0, intensity=2.0, layout=Layout.read(TENANTS / TENANT))
SYSTEM = "bigcommerce"
FIRST_ADDRESS = 700_000


def read_specs(shared: Path) -> list[Spec]:
    """What BigCommerce publishes of orders."""
    files = ("orders.v2.oas2.json", "orders.v3.json")
    folder = shared / "specs" / "bigcommerce"
    return [read_spec("bigcommerce", json.loads((folder / file).read_text(encoding="utf-8"))) for file in files]


def details(sandbox: Sandbox) -> ConnectionDetails:
    """The store's connection."""
    conn_id = f"trueup_{TENANT}_{SYSTEM}"
    return ConnectionDetails(conn_id=conn_id, **sandbox.describe()["connections"][conn_id])


POUNDS = Currencies("GBP", "GBP")


class Store:
    """One store of a running sandbox, each answer held against the contract."""

    def __init__(self, sandbox: Sandbox, specs: list[Spec]) -> None:
        simulator = next(each for each in sandbox.simulators.values() if isinstance(each, BigCommerceSimulator))
        simulator.tuning({"requests_per_30_seconds": 100_000})
        self.world, self.simulator, self._specs = sandbox.world, simulator, specs
        self.client = httpx.Client(base_url=f"{sandbox.base_url}/{simulator.system_id}", trust_env=False, timeout=10)

    def call(self, method: str, path: str, body: object = None, expect: int = 200) -> Any:  # noqa: ANN401 - JSON
        """One exchange that keeps the contract."""
        headers = dict.fromkeys(("Accept", "Content-Type"), "application/json")
        headers["X-Auth-Token"] = self.simulator.token
        answer = self.client.request(method, path, json=body, headers=headers)
        assert answer.status_code == expect, answer.text
        content = answer.json() if answer.content else None
        where = f"/stores/x{path.partition('?')[0]}"
        spec = next((each for each in self._specs if each.find(method, where)), None)
        if spec is not None:
            query = path.partition("?")[2]
            assert validate_exchange(spec, method, where, body, expect, content, query=query) == []
        return content

    def enter(self, *payments: Payment, units: int = 3, unit: int = 999, off: int = 100, tax: int = 0) -> str:
        """An order of one product with a coupon, postage and, added on top, a tax; its number."""
        sku = next(iter(self.simulator.books.stock))
        rule = DiscountRule(DiscountKind.CODE, "THANKS", DiscountTarget.ORDER, fixed=POUNDS.of(off))
        taxes = (Tax("VAT", Decimal("0.2"), POUNDS.of(tax)),) if tax else ()
        line = LineMoney(POUNDS.of(unit), units, discounts=(Discount(0, POUNDS.of(off)),), taxes=taxes)
        shipping = (ShippingMoney("STD", "Standard", POUNDS.of(395)),)
        unpaid = OrderMoney(POUNDS, not tax, (rule,), {"l0": line}, shipping)
        paid = payments or (paying(unpaid.total.shop),)
        money = OrderMoney(POUNDS, not tax, (rule,), {"l0": line}, shipping, paid)
        name = str(5_000 + len(self.simulator.books.orders))
        lines = (OrderLine("l0", sku, sku, "A product", units, unit),)
        order = Order(name, self.simulator.system_id, self.world.now(), "GB", lines, money=money)
        self.post(OrderEntered, order=order)
        return name

    def post(self, kind: Any, **facts: object) -> None:  # noqa: ANN401 - any entry
        self.world.post(kind(**self.world.header(self.simulator.system_id, 0), **facts))

    def happen(self, kind: Any, name: str, units: int, **facts: object) -> None:  # noqa: ANN401 - any entry
        sku = next(iter(self.simulator.books.stock))
        channel = self.simulator.books.channel.channel_id
        self.post(kind, order_name=name, lines=(LineQuantity("l0", sku, units),), channel_id=channel, **facts)

    def refund(self, name: str, items: list[Mapping[str, Any]], expect: int = 201, **more: object) -> Any:  # noqa: ANN401
        """Quote and refund by the first way offered."""
        actions = f"/v3/orders/{name}/payment_actions"
        quoted = self.call("POST", f"{actions}/refund_quotes", {"items": items}, expect if expect == 422 else 201)
        if expect == 422:
            return quoted
        ways = quoted["data"]["refund_methods"]
        payments = [{key: way[key] for key in ("provider_id", "amount", "offline")} for way in ways[0]]
        body = {"items": items, "payments": payments, **more}
        return self.call("POST", f"{actions}/refunds", body, expect)["data"]


def paying(amount: int, kind: PaymentKind = PaymentKind.SALE, gateway: Gateway = Gateway.CARD) -> Payment:
    return Payment(gateway, kind, PaymentStatus.SUCCESS, POUNDS.of(amount))
