"""The products, and by which code each system knows them.

Every product has a canonical SKU (the ERP's) and a GTIN. The other systems are messy on purpose, the way
real ones are: other codes under the same GTIN, lower case and blanks, codes that only a person can resolve
(`alias_rows`), and strangers that match no product, or two.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Product:
    """One product. `number` (1, 2, ...) is stable: build vendor ids from it. `gtin` has a valid check digit."""

    number: int
    sku: str
    title: str
    category: str
    gtin: str
    price_minor: int


@dataclass(frozen=True, slots=True)
class Identity:
    """How one system names a product: its SKU text there and the barcode it has there, if any."""

    code: str
    gtin: str | None


@dataclass(frozen=True, slots=True)
class Stranger:
    """Something a system holds stock of that is no product of the ERP, or could be two.

    It is outside the truth: nothing sells or ships it. `number` starts behind the products'.
    """

    number: int
    system_id: str
    location_id: str
    code: str
    gtin: str | None
    title: str
    on_hand: int


class Catalogue:
    """Products by SKU, identities by system."""

    def __init__(
        self,
        products: Sequence[Product],
        identities: Mapping[tuple[str, str], Identity],
        strangers: Sequence[Stranger],
        alias_rows: Sequence[tuple[str, str, str]],
        assortment: Mapping[str, frozenset[str]],
    ) -> None:
        self.products: Mapping[str, Product] = {product.sku: product for product in products}
        self._identities = identities
        self._strangers = tuple(strangers)
        self.alias_rows = tuple(alias_rows)
        self._assortment = assortment

    def identity(self, system_id: str, sku: str) -> Identity:
        """How `system_id` names the product; its canonical SKU and GTIN where nothing is odd about it."""
        known = self._identities.get((system_id, sku))
        return known if known is not None else Identity(sku, self.products[sku].gtin)

    def carried(self, system_id: str) -> Iterable[Product]:
        """The products that a system has at all (all of them in the ERP), in order of number."""
        carried = self._assortment.get(system_id)
        return (product for product in self.products.values() if carried is None or product.sku in carried)

    def carries(self, system_id: str, sku: str) -> bool:
        """Whether a system has the product at all."""
        carried = self._assortment.get(system_id)
        return sku in self.products if carried is None else sku in carried

    def strangers(self, system_id: str) -> Sequence[Stranger]:
        """What that system has besides."""
        return [stranger for stranger in self._strangers if stranger.system_id == system_id]
