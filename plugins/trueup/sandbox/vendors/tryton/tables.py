"""The models of one Tryton database, by name: their rows, and what may be done to them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from trueup.sandbox.vendors.tryton.books import TrytonBooks
from trueup.sandbox.vendors.tryton.errors import Broken, NotFound
from trueup.sandbox.vendors.tryton.masters import CATEGORIES, COMPANY, CONFIGURATION
from trueup.sandbox.vendors.tryton.records import written

Row = dict[str, Any]
_FIELDS: Final = frozenset(
    {
        ("stock.move", "sale"), ("sale.sale", "shipments"), ("sale.sale", "shipment_returns"),
        ("sale.sale", "web_shop"), ("sale.amendment", "sale"), ("account.invoice", "total_amount"),
        ("account.invoice", "sales"),
    }
)  # fmt: skip
"""Fields that modules add, and whether they are active is asked."""
_COMPANY: Final = {
    "__name__": "company.company", "id": COMPANY, "timezone": "Europe/London",
    "party": {"__name__": "party.party", "id": 1, "name": "Harbour & Vale"},
}  # fmt: skip


class Tables:
    """Every call is under the world's lock, and changes nothing where it refuses."""

    def __init__(self, books: TrytonBooks) -> None:
        self._books = books
        masters = books.masters
        self._plain: Mapping[str, Callable[[], Iterable[Mapping[str, Any]]]] = {
            "company.company": lambda: [_COMPANY],
            "stock.location": lambda: books.locations,
            "stock.move": lambda: books.moves,
            "sale.sale": self._sales,
            "stock.shipment.out": books.sales.shipments.values,
            "stock.shipment.out.return": books.returns.shipments.values,
            "sale.amendment": books.sale_api.amendments.values,
            "account.invoice": books.invoices.rows.values,
            "currency.currency": masters.currencies.values,
            "party.party": masters.parties.values,
            "party.address": masters.addresses.values,
            "web.shop": masters.shops.values,
            "product.category": lambda: CATEGORIES,
            "account.configuration": lambda: [CONFIGURATION],
            "account.journal": masters.journals.values,
            "account.period": lambda: masters.periods,
            "account.journal.period": lambda: masters.reopened,
        }

    def rows(self, model: str, domain: Sequence[Any], context: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
        """Every row of a model; broken where there is no such model."""
        if model in self._plain:
            return self._plain[model]()
        if model == "ir.model.field":
            content = {clause[0]: clause[2] for clause in domain}
            known = {"__name__": model, "id": 1, **content}
            return [known] if (content["model"], content["name"]) in _FIELDS else []
        if model == "product.product":
            locations = context.get("locations") or []
            # Without a company in the context Tryton answers with nulls where its figures should stand.
            is_counted = bool(locations) and context.get("company") == COMPANY
            return [
                {**row, "quantity": self._books.held(number, int(locations[0])) if is_counted else None}
                for number, row in self._books.products.items()
            ]
        raise Broken("no such model")

    def _sales(self) -> Iterable[Row]:
        self._books.sales.look()
        return list(self._books.sales.rows.values())

    def row(self, model: str, number: int) -> Row:
        """One record of what programs enter."""
        found = next((row for row in self.rows(model, [], {}) if row["id"] == number), None)
        if found is None:
            raise NotFound(model)
        return dict(found) if not isinstance(found, dict) else found

    def make(self, model: str, body: Mapping[str, Any], now: datetime) -> Row:
        """A new record."""
        try:
            match model:
                case "sale.sale":
                    return self._books.sale_api.create(body, now)
                case "sale.amendment":
                    return self._books.sale_api.amend(body)
                case "account.invoice":
                    return self._books.invoices.create(body, now)
        except (KeyError, TypeError, ValueError) as error:
            raise Broken("no such value") from error
        raise Broken("not simulated")

    def change(self, model: str, number: int, body: Mapping[str, Any], now: datetime) -> Row:
        """Write fields of a record."""
        row = self.row(model, number)
        match model:
            case "account.invoice":
                self._books.invoices.write(row, body, now)
            case "stock.shipment.out":
                # Whoever packs types the carrier's number in, also when it has left.
                row |= {name: body[name] for name in ("reference",) if name in body}
                row["write_date"] = written(now)
            case _:
                raise Broken("not simulated")
        return row

    def delete(self, model: str, number: int) -> None:
        """Delete a record."""
        row = self.row(model, number)
        match model:
            case "sale.sale":
                self._books.sale_api.delete(row)
            case "sale.amendment":
                self._books.sale_api.delete_amendment(row)
            case "account.invoice":
                self._books.invoices.delete(row)
            case _:
                raise Broken("not simulated")

    def act(self, model: str, number: int, action: str, now: datetime, *, skips_warnings: bool) -> Row:
        """Press a record's button."""
        row = self.row(model, number)
        match (model, action):
            case ("sale.sale", "process") if self._books.sales.fails:
                raise Broken("what processing needs is not there")
            case ("sale.sale", _):
                self._books.sales.act(row, action, now)
            case ("sale.amendment", "validate_amendment"):
                self._books.sale_api.validate(row, now)
            case ("account.invoice", "post"):
                self._books.invoices.post(row, now, skips_warnings=skips_warnings)
            case ("account.invoice", "cancel"):
                self._books.invoices.cancel(row, now)
            case _:
                raise Broken("no such action")
        return row
