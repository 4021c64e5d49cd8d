"""Carriers as BigCommerce follows them: by AfterShip's names.

Source: BigCommerce Orders API v2, `tracking_carrier` ("one of the valid tracking-carrier values",
aftership.com/docs/tracking/others/supported-couriers). A carrier that is not among these is told by its name alone; its
parcels have a link only where the document gives one.
"""

from typing import Final

_SLUGS: Final = (
    "an-post",
    "asendia-usa",
    "australia-post",
    "bpost",
    "canada-post",
    "dhl",
    "dpd",
    "dpd-uk",
    "fedex",
    "gls",
    "new-zealand-post",
    "ontrac",
    "parcel-force",
    "postnl",
    "purolator",
    "royal-mail",
    "swiss-post",
    "tnt",
    "ups",
    "usps",
    "yodel",
)


def _key(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


_BY_KEY: Final = {_key(slug): slug for slug in _SLUGS} | {"dhlexpress": "dhl", "parcelforce": "parcel-force"}


def followed_carrier(name: str | None) -> str:
    """Return AfterShip's name of a carrier, empty where it is none of those that are known here."""
    return _BY_KEY.get(_key(name), "") if name is not None else ""
