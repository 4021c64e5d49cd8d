"""Products, stock and orders, as BigCommerce's APIs show them."""

from email.utils import format_datetime
from typing import Any, Final

from trueup.sandbox.vendors.shop_books import ShopLine, ShopOrder, Stocked

_FIRST_PRODUCT: Final = 10_000
_FIRST_VARIANT: Final = 50_000
_LINES_AN_ORDER: Final = 20
_STATUSES: Final = {2: "Shipped", 3: "Partially Shipped", 4: "Refunded", 5: "Cancelled", 11: "Awaiting Fulfillment"}
_BUYER: Final = {"first_name": "Robin", "last_name": "Example", "zip": "EX1 1EX"}


def product_id(stocked: Stocked) -> int:
    """The product's id."""
    return _FIRST_PRODUCT + stocked.product.number


def variant_id(stocked: Stocked) -> int:
    """The id of its one variant."""
    return _FIRST_VARIANT + stocked.product.number


def product(stocked: Stocked) -> dict[str, Any]:
    """A product with its variant, as the Catalog API shows it."""
    content = {"sku": stocked.code, "upc": stocked.gtin or "", "inventory_level": stocked.on_hand}
    return {
        "id": product_id(stocked),
        "name": stocked.product.title,
        "type": "physical",
        "is_visible": True,
        "availability": "available",
        "inventory_tracking": "variant",
        "gtin": stocked.gtin or "",
        "date_modified": stocked.changed_at.isoformat(),
        **content,
        "variants": [{"id": variant_id(stocked), "product_id": product_id(stocked), **content}],
    }


def item(stocked: Stocked, location_id: int) -> dict[str, Any]:
    """A variant's stock, as the Inventory API shows it."""
    location = {
        "location_id": location_id,
        "location_code": "ONLINE",
        "location_name": "Online stock",
        "available_to_sell": stocked.available,
        "total_inventory_onhand": stocked.on_hand,
        "location_enabled": True,
        "settings": {"safety_stock": stocked.safety, "is_in_stock": True, "warning_level": 0, "bin_picking_number": ""},
    }
    identity = {"sku": stocked.code, "variant_id": variant_id(stocked), "product_id": product_id(stocked)}
    return {"identity": identity, "locations": [location]}


def order(kept: ShopOrder) -> dict[str, Any]:
    """An order with its lines by consignment, as the Orders API shows it."""
    lines = [_line(kept, line) for line in kept.lines.values()]
    shipping = {**_BUYER, "id": int(kept.name), "country_iso2": kept.country[:2].upper(), "line_items": lines}
    status = _status(kept)
    return {
        "id": int(kept.name),
        "status_id": status,
        "status": _STATUSES[status],
        "date_created": format_datetime(kept.created_at),
        "date_modified": format_datetime(kept.modified_at),
        "is_deleted": False,
        "currency_code": "GBP",
        "billing_address": _BUYER,
        "consignments": {"shipping": [shipping], "pickups": [], "downloads": [], "email": {"gift_certificates": []}},
    }


def _status(kept: ShopOrder) -> int:
    goods = [line for line in kept.lines.values() if line.stocked is not None]
    if kept.is_cancelled:
        return 5
    if goods and all(line.given_back >= line.ordered.quantity for line in goods):
        return 4
    if not any(line.open for line in goods):
        return 2
    return 3 if any(line.shipped for line in goods) else 11


def _line(kept: ShopOrder, line: ShopLine) -> dict[str, Any]:
    return {
        "id": int(kept.name) * _LINES_AN_ORDER + line.number,
        "order_id": int(kept.name),
        "product_id": 0 if line.stocked is None else product_id(line.stocked),
        "variant_id": 0 if line.stocked is None else variant_id(line.stocked),
        "name": line.ordered.title or line.ordered.code,
        "sku": line.ordered.code if line.stocked is None else line.stocked.code,
        "type": "physical",
        "quantity": line.ordered.quantity,
        "quantity_shipped": line.shipped,
        "quantity_refunded": line.given_back,
    }
