"""What Tryton knows before the first document: currencies, products that are services, parties, web shops, periods."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from trueup.sandbox.vendors.tryton.records import day
from trueup.sandbox.world.layout import Layout

COMPANY: Final = 1
UNIT: Final = {"__name__": "product.uom", "id": 1, "factor": 1.0}
CURRENCIES: Final = (("GBP", 2), ("EUR", 2), ("USD", 2), ("JPY", 0), ("KWD", 3))
FIRST_CHARGE: Final = 900_000
CHARGES: Final = (
    *("SHIPPING", "FEE", "TIP", "DUTY", "GIFT-CARD", "ROUNDING", "DISCOUNT", "TAX"),
    *("REFUND", "GOODWILL", "EXCHANGE"),
)
"""Codes of the services that the database has from the beginning, numbered from `FIRST_CHARGE` + 1 on."""
WHOLESALE: Final = 400
_FIRST_ADDRESS: Final = 10_000
RECEIVABLE: Final = 30
REVENUE: Final = 40
JOURNAL: Final = 1
CATEGORIES: Final = (
    {
        "__name__": "product.category", "id": 1, "parent": None, "account_parent": False,
        "account_revenue": {"__name__": "account.account", "id": REVENUE},
    },
    {"__name__": "product.category", "id": 2, "parent": 1, "account_parent": True, "account_revenue": None},
)  # fmt: skip
SERVICES: Final = CATEGORIES[1]
CONFIGURATION: Final = {
    "__name__": "account.configuration", "id": 1, "default_account_receivable": {
        "__name__": "account.account", "id": RECEIVABLE,
    },
}  # fmt: skip
_PERIODS_BEFORE: Final = 24
_PERIODS: Final = 48


class Masters:
    """Rows by model. `made`: when they were entered. Periods reach years before and after the world's beginning."""

    def __init__(self, layout: Layout, made: dict[str, Any], began_at: datetime) -> None:
        self.currencies = {
            number: {
                "__name__": "currency.currency", "id": number, "code": code, "digits": digits, "active": True,
            }
            for number, (code, digits) in enumerate(CURRENCIES, 1)
        }  # fmt: skip
        self.channels: dict[str | None, int] = {None: WHOLESALE}
        self.channels |= {channel: number for number, channel in enumerate(layout.channels, WHOLESALE + 1)}
        self.parties = {
            number: {
                "__name__": "party.party", "id": number, "name": channel or "Wholesale",
                "account_receivable": None,
            }
            for channel, number in self.channels.items()
        }  # fmt: skip
        self.addresses = {
            _FIRST_ADDRESS + number: {
                "__name__": "party.address", "id": _FIRST_ADDRESS + number, "party": party, "active": True,
            }
            for number, party in self.parties.items()
        }  # fmt: skip
        self.shops = {
            number: {
                "__name__": "web.shop", "id": number, "name": channel, "company": COMPANY, "active": True,
            }
            for number, channel in enumerate(layout.channels, 1)
        }  # fmt: skip
        self.terms = {1: {"__name__": "account.invoice.payment_term", "id": 1}}
        self.journals = {
            JOURNAL: {"__name__": "account.journal", "id": JOURNAL, "code": "REV", "type": "revenue", "active": True}
        }
        self.services = {number: _service(number, code, made) for number, code in enumerate(CHARGES, FIRST_CHARGE + 1)}
        self.periods = [_period(number, *ends) for number, ends in enumerate(_months(began_at), 101)]
        self.reopened: list[dict[str, Any]] = []

    def currency(self, code: str) -> dict[str, Any]:
        """The currency of that code, else the first."""
        return next((row for row in self.currencies.values() if row["code"] == code), self.currencies[1])

    def address_of(self, party: int) -> dict[str, Any]:
        """The party's address."""
        return self.addresses[_FIRST_ADDRESS + party]

    def shop(self, channel: str | None) -> dict[str, Any] | None:
        """The channel's web shop."""
        return next((row for row in self.shops.values() if row["name"] == channel), None)

    def period(self, on: date) -> dict[str, Any] | None:
        """The period of a day."""
        return next((row for row in self.periods if row["_start"] <= on <= row["_end"]), None)

    def close_periods(self, through: str) -> None:
        """Close the periods that end on that day (ISO 8601) or before it, and open all others."""
        for row in self.periods:
            row["state"] = "closed" if row["_end"].isoformat() <= through else "open"


def _service(number: int, code: str, made: dict[str, Any]) -> dict[str, Any]:
    template = {
        "__name__": "product.template", "id": number, "name": code.capitalize(), "type": "service", "active": True,
        "create_date": made, "write_date": None, "categories": [], "default_uom": UNIT, "account_category": SERVICES,
    }  # fmt: skip
    return {
        "__name__": "product.product", "id": number, "code": code, "active": True, "create_date": made,
        "write_date": None, "identifiers": [], "template": template, "default_uom": UNIT,
    }  # fmt: skip


def _period(number: int, start: date, end: date) -> dict[str, Any]:
    return {
        "__name__": "account.period", "id": number, "name": f"{start:%Y-%m}", "company": COMPANY, "type": "standard",
        "start_date": day(start), "end_date": day(end), "state": "open", "_start": start, "_end": end,
    }  # fmt: skip


def _months(began_at: datetime) -> list[tuple[date, date]]:
    first = began_at.astimezone(UTC).year * 12 + began_at.astimezone(UTC).month - 1 - _PERIODS_BEFORE
    starts = [date(month // 12, month % 12 + 1, 1) for month in range(first, first + _PERIODS + 1)]
    return [(start, after - timedelta(days=1)) for start, after in pairwise(starts)]
