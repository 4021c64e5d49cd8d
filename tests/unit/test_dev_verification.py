"""The demo's checks find each way in which the ERP can have an order wrong, and a customer word of a parcel."""

from pathlib import Path
from typing import Any

from trueup.configuration.model import TenantConfiguration
from trueup.configuration.tenants import load_tenant
from trueup.dev.demo.verification import OrderVerification, ParcelVerification, verify_orders, verify_parcels

DEMO = load_tenant(Path(__file__).resolve().parents[2] / "tenants", "demo")


def document(name: str, total: str = "10.00", **changed: Any) -> dict[str, Any]:  # noqa: ANN401
    """An order of the main shop as somebody's books have it."""
    content = {"channel_id": "shopify_main", "name": name, "currency": "GBP", "total": total, "kept_amount": total}
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
        document("#credited", "4.00", is_changed=True),
        document("#uncredited", "4.00", is_changed=True),
        document("#edited", "4.00", is_changed=True, kept_amount=None),
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
        document("#credited", kept_amount="4.00"),
        document("#uncredited"),
        document("#edited"),
    ]
    verdict = found(taken, booked)
    assert verdict == OrderVerification(
        11,
        waiting=("shopify_main #waits",),
        missing=("shopify_main #missing",),
        booked_twice=("shopify_main #twice",),
        unequal=("shopify_main #cent", "shopify_main #currency", "shopify_main #uncredited"),
        still_open=("shopify_main #open",),
    )
    assert verdict.wrong_count == 6


def test_where_nobody_credits_a_refund_leaves_the_booking_as_it_was() -> None:
    """The ERP then has the order as it was sold."""
    taken, booked = [document("#refunded", "4.00", is_changed=True)], [document("#refunded")]
    assert found(taken, booked, DEMO.model_copy(update={"returns": None})).wrong_count == 0


def test_a_parcel_is_compared_by_what_was_reported_to_its_customer() -> None:
    """Only of channels that Trueup tells; what the line says is missing is no fault of it."""
    units = {"#right": (2, 2), "#late": (3, 1), "#waits": (1, 0), "#twice": (1, 2)}
    truth = {
        "shipped": [
            *({"channel_id": "shopify_main", "order": name, "units": left} for name, (left, _) in units.items()),
            {"channel_id": "square_online", "order": "SQ1", "units": 5},
        ]
    }
    documents = {
        "shopify_main": [document(name, reported_units=reported) for name, (_, reported) in units.items()],
        "shopify_outlet": [],
    }
    verdict = verify_parcels(truth, documents, DEMO, {("shopify_main", "#waits")})
    assert verdict == ParcelVerification(
        7,
        waiting=("shopify_main #waits",),
        unreported=("shopify_main #late",),
        overreported=("shopify_main #twice",),
    )
    assert verdict.wrong_count == 2
    assert verify_parcels(truth, documents, DEMO.model_copy(update={"fulfilment": None}), set()) is None


def test_where_no_orders_are_booked_nothing_is_compared() -> None:
    """A retailer may have stock governed alone."""
    assert found([document("#1")], [], DEMO.model_copy(update={"orders": None})) is None
