"""Calls that make ShipBob's orders and move their parcels: `POST order`, `POST simulate/shipment`.

That a reference id is taken once for each channel is not published: a second order under it is refused here, as
integrators report. An order made over the API is no part of the retailer's own trade: nothing of it leaves before
`simulate/shipment` says so, as in ShipBob's own sandbox.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from starlette.requests import Request

from trueup.sandbox.vendors.shipbob.books import Notice, ShipBobBooks
from trueup.sandbox.vendors.shipbob.errors import FieldErrors
from trueup.sandbox.vendors.shipbob.identifiers import product_id
from trueup.sandbox.vendors.shipbob.orders import Kept
from trueup.sandbox.vendors.shipbob.paging import moment
from trueup.sandbox.world.entries import Order, OrderLine

_ACTIONS: Final = ("ShipOrder", "DeliverOrder")
_MOST_STEPS: Final = 10


@dataclass(frozen=True, slots=True)
class Step:
    """What is to happen to a shipment, and when."""

    due_at: datetime
    action: str
    shipment_number: int


def create(books: ShipBobBooks, request: Request, body: Mapping[str, Any], now: datetime) -> tuple[Kept, list[Notice]]:
    """Take an order in under the sender's reference id; raises `FieldErrors` where something of it is wrong."""
    channel = _channel(books, request)
    reference_id = _text(body, "reference_id")
    if books.orders.of_reference(channel, reference_id) is not None:
        raise FieldErrors("ReferenceId", f"An order with reference id {reference_id} exists already.", 422)
    for name in ("shipping_method", "type"):
        _text(body, name)
    recipient = body.get("recipient")
    if (
        not isinstance(recipient, Mapping)
        or not recipient.get("name")
        or not isinstance(recipient.get("address"), Mapping)
    ):
        raise FieldErrors("Recipient", "A recipient with a name and an address is required.")
    if body.get("location_id") not in (None, books.facility):
        raise FieldErrors("LocationId", f"There is no location {body['location_id']}.", 422)
    name = body.get("order_number") or reference_id
    if books.orders.find(channel, str(name)) is not None:
        raise FieldErrors("OrderNumber", f"Order {name} exists already.", 422)
    lines = _lines(books, body)
    placed_at = moment(body.get("purchase_date"), "purchase_date") or now
    order = Order(str(name), channel, placed_at, "GB", lines)
    return books.take(order, now, reference_id)


def steps(books: ShipBobBooks, body: Mapping[str, Any], now: datetime) -> list[Step]:
    """Read what is to be simulated; raises `FieldErrors` where it cannot be."""
    asked = str(body.get("shipment_id") or "")
    known = books.orders.find_shipment(int(asked)) if asked.isdigit() else None
    if known is None or not known[0].is_api:
        raise FieldErrors("ShipmentId", f"Shipment {asked} is none that can be simulated.")
    found: list[Step] = []
    at, simulation = now, body.get("simulation")
    while isinstance(simulation, Mapping) and len(found) < _MOST_STEPS:
        action, delay = simulation.get("action"), simulation.get("delay") or 0
        if action not in _ACTIONS or type(delay) is not int or delay < 0:
            raise FieldErrors("Simulation", f"action must be one of {', '.join(_ACTIONS)}, delay a number of seconds.")
        at += timedelta(seconds=delay)
        found.append(Step(at, action, int(asked)))
        simulation = simulation.get("next")
    if not found:
        raise FieldErrors("Simulation", "A simulation is required.")
    return found


def _channel(books: ShipBobBooks, request: Request) -> str | None:
    asked = request.headers.get("shipbob_channel_id")
    known = {str(number): name for name, number in books.channel_ids.items()}
    if asked not in known:
        raise FieldErrors("shipbob_channel_id", "The header must name one of the merchant's channels.")
    return known[asked]


def _lines(books: ShipBobBooks, body: Mapping[str, Any]) -> tuple[OrderLine, ...]:
    asked = body.get("products")
    if not isinstance(asked, list) or not asked:
        raise FieldErrors("Products", "At least one product is required.")
    by_product = {product_id(one.number): one for one in books.catalog.by_sku.values()}
    by_code = {one.code: one for one in books.catalog.by_sku.values()}
    lines = []
    for index, each in enumerate(asked):
        if not isinstance(each, Mapping) or type(each.get("quantity")) is not int or each["quantity"] < 1:
            raise FieldErrors(f"Products[{index}].Quantity", "Quantity must be greater than 0.")
        if "id" in each:
            one = by_product.get(each["id"]) if isinstance(each["id"], int) else None
        else:
            one = by_code.get(str(each.get("sku") or each.get("reference_id")))
        if one is None:
            raise FieldErrors(f"Products[{index}]", "The product was not found.", 422)
        line_id = str(each.get("reference_id") or index)
        price = each.get("unit_price")
        minor = round(float(price) * 100) if isinstance(price, int | float) else 0
        lines.append(OrderLine(line_id, one.sku, one.code, one.title, each["quantity"], minor))
    if len({line.line_id for line in lines}) < len(lines):
        raise FieldErrors("Products", "A reference id may be given to one product only.", 422)
    return tuple(lines)


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise FieldErrors(name, f"The {name} field is required.")
    return value
