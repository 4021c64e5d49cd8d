"""Where the demo retailer keeps stock and where it sells."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A place with shelves: the system that keeps its books and the place's id there."""

    location_id: str
    name: str
    system_id: str
    source_location_id: str
    is_store: bool = False


@dataclass(frozen=True, slots=True)
class SalesChannel:
    """`listing_location_id` is the channel's own id of the place its quantities hang on."""

    channel_id: str
    system_id: str
    listing_location_id: str
    served_by: tuple[str, ...]


PLACES: Mapping[str, Place] = {
    place.location_id: place
    for place in (
        Place("WH-EAST", "Main warehouse", "netsuite", "1"),
        Place("WH-WEST", "ShipBob, second warehouse", "shipbob", "101"),
        Place("STORE-1", "Harbour Street", "square", "LSTORE1", is_store=True),
        Place("STORE-2", "Vale Arcade", "square", "LSTORE2", is_store=True),
        Place("STORE-3", "Station Road", "square", "LSTORE3", is_store=True),
    )
}
# The ERP keeps stale copies of the other places under ids of its own.
COPIES_IN_ERP: Mapping[str, str] = {"WH-WEST": "2", "STORE-1": "3", "STORE-2": "4", "STORE-3": "5"}
ERP = "netsuite"

CHANNELS: Mapping[str, SalesChannel] = {
    channel.channel_id: channel
    for channel in (
        SalesChannel("shopify_main", "shopify_main", "gid://shopify/Location/9001", ("WH-EAST", "WH-WEST")),
        SalesChannel("shopify_outlet", "shopify_outlet", "gid://shopify/Location/9101", ("WH-EAST",)),
        SalesChannel("square_online", "square", "LONLINE", ("STORE-1", "STORE-2", "STORE-3")),
    )
}
STORES = tuple(place.location_id for place in PLACES.values() if place.is_store)
