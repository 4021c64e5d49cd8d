"""ShipBob's products, each with one variant, under the code that the warehouse knows it by."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from trueup.sandbox.vendors.shipbob.identifiers import MERCHANT, inventory_id, product_id, timestamp, variant_id
from trueup.sandbox.world.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class Stocked:
    """One thing with a shelf. `sku` is the world's; None for a stranger, whose stock never moves."""

    number: int
    sku: str | None
    code: str
    gtin: str | None
    title: str
    category: str | None
    stranger_units: int = 0

    @property
    def inventory_id(self) -> int:
        return inventory_id(self.number)


class ShipBobCatalog:
    """Everything stocked, by inventory id and by the world's SKU. It does not change after the world has begun."""

    def __init__(self, catalogue: Catalogue, system_id: str, started_at: datetime) -> None:
        self.changed_at = started_at - timedelta(days=60)
        stocked = []
        for product in catalogue.carried(system_id):
            identity = catalogue.identity(system_id, product.sku)
            stocked.append(
                Stocked(product.number, product.sku, identity.code, identity.gtin, product.title, product.category)
            )
        stocked += [
            Stocked(stranger.number, None, stranger.code, stranger.gtin, stranger.title, None, stranger.on_hand)
            for stranger in catalogue.strangers(system_id)
        ]
        self.by_inventory_id = {one.inventory_id: one for one in stocked}
        self.by_sku = {one.sku: one for one in stocked if one.sku is not None}

    def product(self, one: Stocked, on_hand: int) -> dict[str, Any]:
        """The product as the API shows it."""
        changed_at = timestamp(self.changed_at)
        taxonomy = {"id": None, "name": one.category, "parent_id": None, "parent_name": None, "path": one.category}
        barcodes = [] if one.gtin is None else [{"value": one.gtin, "sticker_url": None}]
        return {
            "id": product_id(one.number),
            "name": one.title,
            "type": "Regular",
            "user_id": MERCHANT,
            "taxonomy": taxonomy,
            "created_on": changed_at,
            "updated_on": changed_at,
            "variants": [
                {
                    "id": variant_id(one.number),
                    "name": one.title,
                    "sku": one.code,
                    "gtin": one.gtin,
                    "upc": one.gtin,
                    "barcodes": barcodes,
                    "status": "Active",
                    "is_digital": False,
                    "inventory": {"inventory_id": one.inventory_id, "on_hand_qty": on_hand},
                    "created_on": changed_at,
                    "updated_on": changed_at,
                }
            ],
        }
