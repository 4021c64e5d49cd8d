"""ShipBob's numbers for the world's things, and how it writes times."""

from datetime import UTC, datetime
from typing import Final

from trueup.sandbox.places import CHANNELS, PLACES

WAREHOUSE: Final = next(place for place in PLACES.values() if place.system_id == "shipbob")
FACILITY: Final = int(WAREHOUSE.source_location_id)
MERCHANT: Final = 226071
# The merchant's channels at ShipBob carry the names under which the retailer's systems know them.
CHANNEL_IDS: Final = {channel_id: 433_000 + number for number, channel_id in enumerate(CHANNELS, 1)}


def product_id(number: int) -> int:
    """The product of an article or a stranger."""
    return 20_000_000 + number


def variant_id(number: int) -> int:
    """Its one variant."""
    return 30_000_000 + number


def inventory_id(number: int) -> int:
    """What stock and history are told by."""
    return 40_000_000 + number


def timestamp(moment: datetime) -> str:
    """ISO 8601 in UTC."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")
