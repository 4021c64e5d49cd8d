"""Products and stock, as BigCommerce's APIs show them."""

from typing import Any, Final

from trueup.sandbox.vendors.shop_books import Stocked

_FIRST_PRODUCT: Final = 10_000
_FIRST_VARIANT: Final = 50_000


def product_id(stocked: Stocked) -> int:
    """The product's id."""
    return _FIRST_PRODUCT + stocked.product.number


def variant_id(stocked: Stocked) -> int:
    """The id of its one variant."""
    return _FIRST_VARIANT + stocked.product.number


def product(stocked: Stocked) -> dict[str, Any]:
    """A product with its variant, as the Catalog API shows it."""
    price = stocked.product.price_minor / 100
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
        "price": price,
        "cost_price": round(price * 0.6, 2),
        "retail_price": price,
        "sale_price": 0,
        "calculated_price": price,
        "tax_class_id": 0,
        **content,
        "variants": [
            {
                "id": variant_id(stocked),
                "product_id": product_id(stocked),
                "price": None,
                "calculated_price": price,
                **content,
            }
        ],
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
