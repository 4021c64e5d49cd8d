"""ShipBob's orders, shipments and trackings, as its API shows them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from trueup.sandbox.vendors.shipbob.catalog import ShipBobCatalog, Stocked
from trueup.sandbox.vendors.shipbob.identifiers import product_id, timestamp
from trueup.sandbox.vendors.shipbob.orders import Kept, Shipment
from trueup.sandbox.world.entries import Order, OrderLine
from trueup.sandbox.world.layout import Location

_CARRIERS = (("Royal Mail", "Tracked 48"), ("DPD UK", "Next Day"), ("Evri", "Standard"))
_PROBLEMS = {"OnHold": (302, "InvalidAddress"), "Exception": (101, "OutOfStock")}


class OrderContent:
    """Writes the orders of one warehouse."""

    def __init__(self, catalog: ShipBobCatalog, warehouse: Location, channel_ids: Mapping[str | None, int]) -> None:
        self._catalog = catalog
        self._warehouse = warehouse
        self._channel_ids = channel_ids

    def order(self, kept: Kept) -> dict[str, Any]:
        """One order with its shipments."""
        order = kept.order
        channel = order.channel_id
        return {
            "id": kept.number,
            "order_number": order.name,
            "reference_id": kept.reference_id,
            "status": kept.status,
            "type": "DTC",
            "created_date": timestamp(kept.entered_at),
            "purchase_date": timestamp(order.placed_at),
            "channel": {"id": self._channel_ids[channel], "name": channel},
            "products": [self._product(line) for line in kept.lines.values()],
            "shipments": [self.shipment(kept, shipment) for shipment in kept.shipments],
            "recipient": _recipient(order),
            "financials": {
                "total_price": sum(line.unit_price_minor * line.quantity for line in kept.lines.values()) / 100
            },
            "shipping_method": "Standard",
            "shipping_terms": {"carrier_type": "Parcel", "payment_term": "Prepaid"},
            "tags": [],
            "gift_message": None,
        }

    def shipment(self, kept: Kept, shipment: Shipment) -> dict[str, Any]:
        """One shipment."""
        return {
            "id": shipment.number,
            "order_id": kept.number,
            "reference_id": kept.reference_id,
            "status": shipment.status,
            "created_date": timestamp(shipment.created_at),
            "last_update_at": timestamp(shipment.updated_at),
            "actual_fulfillment_date": _moment(shipment.left_at),
            "delivery_date": _moment(shipment.delivered_at),
            "location": {"id": int(self._warehouse.source_location_id), "name": self._warehouse.name},
            "products": [
                self._shipped(kept.lines[line_id], units, is_waiting=shipment.is_waiting)
                for line_id, units in shipment.units.items()
            ],
            "recipient": {"name": _recipient(kept.order)["name"], "address": None},
            **_tracking(shipment),
            "last_tracking_update_at": _moment(shipment.delivered_at or shipment.left_at),
            "is_tracking_uploaded": shipment.left_at is not None,
            "require_signature": False,
            "ship_option": "Standard",
            "status_details": _details(shipment),
        }

    def _product(self, line: OrderLine) -> dict[str, Any]:
        one = self._stocked(line)
        return {
            "id": product_id(one.number),
            "sku": one.code,
            "gtin": one.gtin,
            "upc": one.gtin,
            "reference_id": line.line_id,
            "external_line_id": None,
            "quantity": line.quantity,
            "quantity_unit_of_measure_code": "EA",
            "unit_price": line.unit_price_minor / 100,
        }

    def _shipped(self, line: OrderLine, units: int, *, is_waiting: bool) -> dict[str, Any]:
        one = self._stocked(line)
        return {
            "id": product_id(one.number),
            "sku": one.code,
            "name": one.title,
            "reference_id": line.line_id,
            "inventory_items": [
                {
                    "id": one.inventory_id,
                    "name": one.title,
                    "quantity": units,
                    "quantity_committed": units if is_waiting else 0,
                    "is_dangerous_goods": False,
                    "lot": None,
                    "expiration_date": None,
                    "serial_numbers": None,
                }
            ],
        }

    def _stocked(self, line: OrderLine) -> Stocked:
        return self._catalog.by_sku[line.sku or ""]


def _moment(at: datetime | None) -> str | None:
    return None if at is None else timestamp(at)


def _tracking(shipment: Shipment) -> dict[str, Any]:
    """What there is to follow; nothing before a label is printed."""
    if shipment.left_at is None:
        return {}
    carrier, service = _CARRIERS[shipment.number % len(_CARRIERS)]
    number = shipment.tracking_number
    tracking = {
        "carrier": carrier,
        "carrier_service": service,
        "tracking_number": number,
        "tracking_url": f"https://tracking.example.com/{number}",
        "shipping_date": timestamp(shipment.left_at),
        "bol": None,
        "pro_number": None,
        "scac": None,
    }
    return {"tracking": tracking}


def _details(shipment: Shipment) -> list[dict[str, Any]]:
    if shipment.problem is None:
        return []
    number, name = _PROBLEMS[shipment.status]
    return [
        {
            "id": number,
            "name": name,
            "inventory_id": None,
            "exception_fulfillment_center_id": None,
            "extra_information": {"validation_messages": [shipment.problem]},
        }
    ]


def _recipient(order: Order) -> dict[str, Any]:
    """Nobody in particular: the world's customers have no names."""
    address = {
        "address1": "1 Quay Street",
        "city": "Harbour",
        "country": order.country,
        "zip_code": None,
        "state": None,
    }
    return {"name": f"Customer of {order.name}", "email": None, "phone_number": None, "address": address}
