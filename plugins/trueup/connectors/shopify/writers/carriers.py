"""Carriers as Shopify spells them: it builds a parcel's links from these names alone, capitals and all.

Source: shopify.dev/docs/api/admin-graphql/latest/input-objects/FulfillmentTrackingInput, "Supported tracking
companies". A carrier that is not among them needs an address for each of its numbers.
"""

from typing import Final

_NAMES: Final = (
    "4PX",
    "AGS",
    "Amazon",
    "Amazon Logistics UK",
    "Amazon Logistics US",
    "An Post",
    "APC",
    "Asendia USA",
    "Australia Post",
    "Bonshaw",
    "BPost",
    "BPost International",
    "Canada Post",
    "Canpar",
    "CDL Last Mile",
    "China Post",
    "Chronopost",
    "Colissimo",
    "Correios",
    "Correos",
    "CTT",
    "CTT Express",
    "Cyprus Post",
    "Deutsche Post",
    "DHL eCommerce",
    "DHL eCommerce Asia",
    "DHL Express",
    "DPD",
    "DPD Local",
    "DPD UK",
    "DX",
    "Estes",
    "Evri",
    "FedEx",
    "GLS",
    "Iceland Post",
    "Israel Post",
    "La Poste",
    "Lasership",
    "Latvia Post",
    "Mondial Relay",
    "New Zealand Post",
    "NinjaVan",
    "OnTrac",
    "Packeta",
    "Pitney Bowes",
    "Poste Italiane",
    "PostNL",
    "PostNord DK",
    "PostNord NO",
    "PostNord SE",
    "Purolator",
    "Royal Mail",
    "Sendle",
    "SF Express",
    "Singapore Post",
    "StarTrack",
    "Swiss Post",
    "TNT",
    "Toll IPEC",
    "UPS",
    "USPS",
    "Venipak",
    "Whistl",
    "XPO Logistics",
    "YunExpress",
)


def _key(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


_BY_KEY: Final = {_key(name): name for name in _NAMES}


def listed_carrier(name: str) -> str | None:
    """Return the name as Shopify spells it, None where it knows no such carrier."""
    return _BY_KEY.get(_key(name))
