"""The demo's check of orders finds each way in which the ERP can have one wrong."""

from pathlib import Path
from typing import Any

from trueup.configuration.model import TenantConfiguration
from trueup.configuration.tenants import load_tenant
from trueup.dev.demo.verification import OrderVerification, verify_orders

DEMO = load_tenant(Path(__file__).resolve().parents[2] / "tenants", "demo")


def document(name: str, total: str = "10.00", **changed: Any) -> dict[str, Any]:  # noqa: ANN401
    """An order of the main shop as somebody's books have it."""
    content = {"channel_id": "shopify_main", "name": name, "currency": "GBP", "total": total}
    return {**content, "is_cancelled": False, "is_changed": False, **changed}


def found(taken: list[dict[str, Any]], booked: list[dict[str, Any]], configuration: TenantConfiguration = DEMO) -> Any:  # noqa: ANN401
    """The verdict over one shop's orders and the ERP's."""
    documents = {"shopify_main": taken, "shopify_outlet": [], "square": [], "netsuite": booked}
    return verify_orders(documents, configuration, {("shopify_main", "#waits")})


def test_each_wrong_order_is_named_once() -> None:
    """By what is wrong with it; one of another shop and a cancelled booking are nobody's."""
    taken = [
        document("#right"),
        document("#waits"),
        document("#missing"),
        document("#twice"),
        document("#cent", "10.01"),
        document("#currency"),
        document("#open", is_cancelled=True),
        document("#gone", is_cancelled=True),
        document("#refunded", "4.00", is_changed=True),
    ]
    booked = [
        document("#right"),
        document("#missing", is_cancelled=True),
        document("#missing", channel_id="shopify_outlet"),
        document("#twice"),
        document("#twice"),
        document("#cent"),
        document("#currency", currency="EUR"),
        document("#open"),
        document("#gone", is_cancelled=True),
        document("#refunded"),
    ]
    verdict = found(taken, booked)
    assert verdict == OrderVerification(
        9,
        waiting=("shopify_main #waits",),
        missing=("shopify_main #missing",),
        booked_twice=("shopify_main #twice",),
        unequal=("shopify_main #cent", "shopify_main #currency"),
        still_open=("shopify_main #open",),
    )
    assert verdict.wrong_count == 5


def test_where_no_orders_are_booked_nothing_is_compared() -> None:
    """A retailer may have stock governed alone."""
    assert found([document("#1")], [], DEMO.model_copy(update={"orders": None})) is None
