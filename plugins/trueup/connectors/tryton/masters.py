"""What Tryton knows before the first document: currencies, web shops, units of products, addresses of parties."""

from collections.abc import Collection, Mapping

from trueup.connectors.bookings import Currency, NotBookable
from trueup.connectors.tryton import rest
from trueup.connectors.tryton.company import Company
from trueup.connectors.tryton.sales import Customer
from trueup.domain.errors import Transient


class Masters:
    """Asks for them, for each but once. Raises `Transient` where it gets no answer."""

    def __init__(self, models: rest.Models, company: Company) -> None:
        self._models = models
        self._company = company
        self._currencies: dict[str, Currency] = {}
        self._shops: dict[str, int] = {}
        self._customers: dict[str, Customer] = {}
        self._units: dict[str, int] = {}

    def currencies(self) -> Mapping[str, Currency]:
        """The active currencies by their ISO codes."""
        if not self._currencies:
            rows = self._models.all("currency.currency", ("code", "digits"), [["active", "=", True]], {})
            for row in rest.require_whole(rows, "a currency"):
                if not isinstance(row.get("digits"), int):
                    raise Transient("Tryton: a currency could not be read; ask again")
                self._currencies[str(row.get("code"))] = Currency(str(row["id"]), int(row["digits"]))
        return self._currencies

    def shop(self, channel: str, otherwise: str | None) -> int:
        """The web shop that is called as the channel, else that of the option; raises `NotBookable` for neither."""
        if channel not in self._shops:
            if not self._models.has("sale.sale", "web_shop"):
                raise NotBookable(
                    "Tryton has no web shops; activate its module 'web_shop': a sale's external id is there"
                )
            domain = [["name", "=", channel], ["company", "=", self._company.number], ["active", "=", True]]
            rows = rest.require_whole(self._models.all("web.shop", ("name",), domain, {}), "a web shop")
            if len(rows) != 1 and otherwise is None:
                raise NotBookable(
                    f"Tryton has {len(rows)} web shops named '{channel}'; make one of that name, or name the one to use"
                    " as 'web_shop' in the system's options"
                )
            self._shops[channel] = int(rows[0]["id"] if len(rows) == 1 else str(otherwise))
        return self._shops[channel]

    def units(self, products: Collection[str]) -> Mapping[str, int]:
        """By product, the unit that its stock is kept in; what is not in it is no active product."""
        missing = sorted({int(product) for product in products if product not in self._units})
        if missing:
            fields = ("template.default_uom",)
            domain: rest.Domain = [["id", "in", missing], ["active", "=", True]]
            rows = self._models.all("product.product", fields, domain, self._company.context())
            for row in rest.require_whole(rows, "a product"):
                unit = row["template"]["default_uom"] if isinstance(row.get("template"), Mapping) else None
                if not isinstance(unit, int):
                    raise Transient("Tryton: a product's unit could not be read; ask again")
                self._units[str(row["id"])] = unit
        return {product: self._units[product] for product in products if product in self._units}

    def customer(self, party: str) -> Customer:
        """The party with its first address; raises `NotBookable` where it has none."""
        if party not in self._customers:
            domain: rest.Domain = [["party", "=", int(party)], ["active", "=", True]]
            rows = rest.require_whole(self._models.all("party.address", ("party",), domain, {}), "an address")
            if not rows:
                raise NotBookable(
                    f"Tryton has no party {party} with an address; give it one, or name another as 'customer' in the"
                    " system's options"
                )
            self._customers[party] = Customer(int(party), int(rows[0]["id"]))
        return self._customers[party]
