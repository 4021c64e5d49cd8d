"""ShipBob's numbers for the world's things, and how it writes times."""

from datetime import UTC, datetime
from typing import Final

from trueup.sandbox.world.layout import Layout

MERCHANT: Final = 226071
_FIRST_CHANNEL: Final = 433_000


def channel_ids(layout: Layout) -> dict[str | None, int]:
    """The merchant's channels at ShipBob, by the names under which the retailer's systems know them."""
    ids: dict[str | None, int] = {name: _FIRST_CHANNEL + number for number, name in enumerate(layout.channels, 1)}
    return {None: _FIRST_CHANNEL, **ids}


def product_id(number: int) -> int:
    """The product of a product or a stranger."""
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
