"""Orders of the main store, what left the locations for them, and what the store was told, as records land."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tests.transform.transform_facts import (
    Fact,
    Line,
    at,
    demo_tenant,
    netsuite_item,
    netsuite_movement,
    netsuite_order,
    shipbob_event,
    shipbob_order,
    shipbob_product,
    shopify_order,
    shopify_variant,
    spelt_iso,
)

from trueup.configuration.model import TenantConfiguration

EAST, WEST = "gid://shopify/Location/9002", "gid://shopify/Location/9003"
LOCATIONS = {"WH-EAST": EAST, "WH-WEST": WEST}
_TAKEN_AT, _LEFT_AT, _CONFIRMED_AT = at(10), at(40), at(60)


def declared(**changes: object) -> TenantConfiguration:
    """The demo tenant, whose main store is told of parcels."""
    fulfilment = {"channels": {"shopify_main": {"locations": LOCATIONS}}, **changes}
    return demo_tenant(fulfilment=fulfilment, ownership={"fulfilment.document": "origin"})


def product(number: int) -> list[Fact]:
    """A product of the ERP, the warehouse and the main store."""
    sku = f"HV-{number:05d}"
    return [
        netsuite_item(str(1000 + number), sku),
        shipbob_product(number, sku),
        shopify_variant(str(number), sku),
    ]


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What the store was told of a parcel. `lines`: units by the line's place in the order, from 1."""

    number: int
    lines: Mapping[int, int]
    location: str | None = EAST
    tracking: Sequence[str] = ()
    when: datetime = _CONFIRMED_AT
    status: str = "SUCCESS"


def line_id(order: str, index: int) -> str:
    """The id of a line of a store's order."""
    return f"gid://shopify/LineItem/{order.strip('#')}{index:03d}"


def shop_order(
    name: str,
    lines: Sequence[Line],
    *confirmations: Confirmation,
    when: datetime = _TAKEN_AT,
    is_cancelled: bool = False,
) -> Fact:
    """An order of the main store with what it was told of parcels."""
    units: dict[int, int] = {}
    for each in confirmations:
        if each.status == "SUCCESS":
            for index, quantity in each.lines.items():
                units[index] = units.get(index, 0) + quantity
    counted = [replace(line, fulfilled=units.get(index, 0)) for index, line in enumerate(lines, 1)]
    fact = shopify_order(name, counted, when, ordered_at=at(0), is_cancelled=is_cancelled)
    reported = [_reported(name, each) for each in confirmations]
    return replace(fact, payload={**(fact.payload or {}), "fulfillments": reported})


def _reported(name: str, confirmation: Confirmation) -> dict[str, Any]:
    return {
        "id": f"gid://shopify/Fulfillment/{confirmation.number}",
        "status": confirmation.status,
        "createdAt": confirmation.when.isoformat(),
        "updatedAt": confirmation.when.isoformat(),
        "location": None if confirmation.location is None else {"id": confirmation.location},
        "trackingInfo": [{"company": "Royal Mail", "number": number, "url": None} for number in confirmation.tracking],
        "fulfillmentLineItems": {
            "nodes": [
                {
                    "id": f"gid://shopify/FulfillmentLineItem/{confirmation.number}{index}",
                    "quantity": quantity,
                    "lineItem": {"id": line_id(name, index)},
                }
                for index, quantity in confirmation.lines.items()
            ]
        },
    }


def erp_order(key: int, item: int, units: int, order: str) -> Fact:
    """The ERP's copy of a line of a main store's order."""
    transaction = f"5{order.strip('#')}"
    return netsuite_order(
        key, str(1000 + item), units, at(20), transaction=transaction, order=order, channel="shopify_main"
    )


def erp_parcel(
    key: int, item: int, units: int, order: str, *tracking: str, parcel: int | None = None, when: datetime = _LEFT_AT
) -> Fact:
    """A line of an item fulfilment of the ERP, made from its copy of the order."""
    fact = netsuite_movement(
        key, str(1000 + item), -units, when, kind="ItemShip", order=order, created_from=f"5{order.strip('#')}"
    )
    payload = {**(fact.payload or {}), "transaction": str(parcel or 90_000 + key)}
    if tracking:
        payload["trackingnumbers"] = " ".join(tracking)
    return replace(fact, payload=payload)


@dataclass(frozen=True, slots=True)
class Shipment:
    """A shipment of the warehouse. `left`: whether it has left; `problem`: the name of its status detail."""

    item: int
    units: int
    status: str = "Completed"
    tracking: str | None = None
    left: bool = True
    delivered: datetime | None = None
    problem: str | None = None


def warehouse_order(number: int, name: str, *shipments: Shipment, when: datetime = _LEFT_AT) -> list[Fact]:
    """The warehouse's copy of a main store's order, and its history of what left."""
    parts = [(each.item, each.units, each.status) for each in shipments]
    fact = shipbob_order(number, name, parts, when, channel="shopify_main")
    payload: dict[str, Any] = {**(fact.payload or {})}
    payload["shipments"] = [
        {**shown, **_progress(each, when)} for shown, each in zip(payload["shipments"], shipments, strict=True)
    ]
    events = [
        shipbob_event(number * 10 + index, each.item, -each.units, when, order_id=number)
        for index, each in enumerate(shipments)
        if each.left
    ]
    return [replace(fact, payload=payload), *events]


def _progress(shipment: Shipment, when: datetime) -> dict[str, Any]:
    found: dict[str, Any] = {"created_date": spelt_iso(at(15))}
    if shipment.left:
        found["actual_fulfillment_date"] = spelt_iso(when)
    if shipment.delivered is not None:
        found["delivery_date"] = spelt_iso(shipment.delivered)
    if shipment.tracking is not None:
        found["tracking"] = {
            "carrier": "Evri",
            "tracking_number": shipment.tracking,
            "tracking_url": f"https://tracking.example.com/{shipment.tracking}",
        }
    if shipment.problem is not None:
        found["status_details"] = [{"id": 1, "name": shipment.problem}]
    return found
