"""Square's catalog: an item with one variation for each product, under the code that the tills know it by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from trueup.sandbox.vendors.square.identifiers import category_ids, item_id, timestamp, variation_id
from trueup.sandbox.world.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class _Entry:
    number: int
    code: str
    gtin: str | None
    title: str
    category: str | None
    price_minor: int
    is_online: bool


class SquareCatalog:
    """The objects, by id, in the order of their ids. Nothing changes after the world has begun."""

    def __init__(
        self,
        catalogue: Catalogue,
        system_id: str,
        listing: Mapping[str, int],
        stores: Sequence[str],
        started_at: datetime,
    ) -> None:
        self._stores = list(stores)
        self._changed_at = timestamp(started_at - timedelta(days=40))
        self._version = int((started_at - timedelta(days=40)).timestamp() * 1000)
        entries = [
            _Entry(
                product.number,
                (identity := catalogue.identity(system_id, product.sku)).code,
                identity.gtin,
                product.title,
                product.category,
                product.price_minor,
                product.sku in listing,
            )
            for product in catalogue.carried(system_id)
        ]
        self.variations = {product.sku: variation_id(product.number) for product in catalogue.carried(system_id)}
        self.skus = {variation: sku for sku, variation in self.variations.items()}
        entries += [
            _Entry(stranger.number, stranger.code, stranger.gtin, stranger.title, None, 0, is_online=False)
            for stranger in catalogue.strangers(system_id)
        ]
        self._categories = category_ids(entry.category for entry in entries if entry.category is not None)
        self.objects: dict[str, dict[str, Any]] = {
            identifier: self._object("CATEGORY", identifier, "category_data", {"name": name})
            for name, identifier in self._categories.items()
        }
        self.objects |= {item_id(entry.number): self._item(entry) for entry in entries}
        self.variation_ids = frozenset(variation_id(entry.number) for entry in entries)

    def _item(self, entry: _Entry) -> dict[str, Any]:
        data: dict[str, Any] = {
            "name": entry.title,
            "product_type": "REGULAR",
            "is_taxable": True,
            "is_archived": False,
            "variations": [self._variation(entry)],
        }
        if entry.category is not None:
            category = {"id": self._categories[entry.category], "ordinal": 0}
            data |= {"categories": [category], "reporting_category": category}
        return self._object("ITEM", item_id(entry.number), "item_data", data, is_online=entry.is_online)

    def _variation(self, entry: _Entry) -> dict[str, Any]:
        data: dict[str, Any] = {
            "item_id": item_id(entry.number),
            "name": "Regular",
            "sku": entry.code,
            "ordinal": 0,
            "pricing_type": "FIXED_PRICING" if entry.price_minor else "VARIABLE_PRICING",
            "track_inventory": True,
            "sellable": True,
            "stockable": True,
        }
        if entry.gtin is not None:
            data["upc"] = entry.gtin
        if entry.price_minor:
            data["price_money"] = {"amount": entry.price_minor, "currency": "GBP"}
        identifier = variation_id(entry.number)
        return self._object("ITEM_VARIATION", identifier, "item_variation_data", data, is_online=entry.is_online)

    def _object(
        self, kind: str, identifier: str, name: str, data: Mapping[str, Any], *, is_online: bool = True
    ) -> dict[str, Any]:
        content: dict[str, Any] = {
            "type": kind,
            "id": identifier,
            "updated_at": self._changed_at,
            "version": self._version,
            "is_deleted": False,
            "present_at_all_locations": is_online,
        }
        if not is_online:
            content["present_at_location_ids"] = self._stores
        return {**content, name: dict(data)}
