"""The articles, and by which code each system knows them.

Every article has a canonical SKU (the ERP's) and a GTIN. The other systems are messy on purpose, the way
real ones are: other codes under the same GTIN, lower case and blanks, codes that only a person can resolve
(`alias_rows`), and strangers that match no article, or two.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Article:
    """One article. `number` (1, 2, ...) is stable: build vendor ids from it. `gtin` has a valid check digit."""

    number: int
    sku: str
    title: str
    category: str
    gtin: str
    price_minor: int


@dataclass(frozen=True, slots=True)
class Identity:
    """How one system names an article: its SKU text there and the barcode it has there, if any."""

    code: str
    gtin: str | None


@dataclass(frozen=True, slots=True)
class Stranger:
    """Something a system holds stock of that is no article of the ERP, or could be two.

    It is outside the truth: nothing sells or ships it. `number` starts behind the articles'.
    """

    number: int
    system_id: str
    location_id: str
    code: str
    gtin: str | None
    title: str
    on_hand: int


class Catalogue:
    """Articles by SKU, identities by system."""

    def __init__(
        self,
        articles: Sequence[Article],
        identities: Mapping[tuple[str, str], Identity],
        strangers: Sequence[Stranger],
        alias_rows: Sequence[tuple[str, str, str]],
        assortment: Mapping[str, frozenset[str]],
    ) -> None:
        self.articles: Mapping[str, Article] = {article.sku: article for article in articles}
        self._identities = identities
        self._strangers = tuple(strangers)
        self.alias_rows = tuple(alias_rows)
        self._assortment = assortment

    def identity(self, system_id: str, sku: str) -> Identity:
        """How `system_id` names the article; its canonical SKU and GTIN where nothing is odd about it."""
        known = self._identities.get((system_id, sku))
        return known if known is not None else Identity(sku, self.articles[sku].gtin)

    def carried(self, system_id: str) -> Iterable[Article]:
        """The articles that a system has at all (all of them in the ERP), in order of number."""
        carried = self._assortment.get(system_id)
        return (article for article in self.articles.values() if carried is None or article.sku in carried)

    def carries(self, system_id: str, sku: str) -> bool:
        """Whether a system has the article at all."""
        carried = self._assortment.get(system_id)
        return sku in self.articles if carried is None else sku in carried

    def strangers(self, system_id: str) -> Sequence[Stranger]:
        """What that system has besides."""
        return [stranger for stranger in self._strangers if stranger.system_id == system_id]
