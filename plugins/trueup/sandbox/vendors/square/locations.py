"""The Locations API: the stores, and the place that the online listing hangs on."""

from typing import Any, Final

from trueup.sandbox.vendors.square.books import SquareBooks
from trueup.sandbox.vendors.square.errors import ApiError
from trueup.sandbox.vendors.square.identifiers import MERCHANT
from trueup.sandbox.vendors.square.money import CURRENCY

_ALIKE: Final = {
    "status": "ACTIVE",
    "type": "PHYSICAL",
    "timezone": "Europe/London",
    "capabilities": ["CREDIT_CARD_PROCESSING"],
    "created_at": "2021-03-01T09:00:00Z",
    "merchant_id": MERCHANT,
    "country": "GB",
    "language_code": "en-GB",
    "currency": CURRENCY,
    "business_name": "Harbour & Vale",
}


def list_locations(books: SquareBooks) -> list[dict[str, Any]]:
    """ListLocations. The first one is the seller's main location."""
    return [{"id": number, "name": name, **_ALIKE} for number, name in books.location_names.items()]


def one_location(books: SquareBooks, number: str) -> dict[str, Any]:
    """RetrieveLocation."""
    for location in list_locations(books):
        if location["id"] == number:
            return location
    raise ApiError("NOT_FOUND", f"Location {number} not found.", "location_id")
