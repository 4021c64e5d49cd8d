"""Where a retailer keeps stock and where it sells, as its tenant's own files declare it.

Only what a world needs is read: systems and their vendors, locations, channels with who serves them and by which rules.
That the files are right is the tenant loader's business, not the sandbox's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

from trueup.domain.shipped import shipped_folder
from trueup.sandbox.world.catalogue import Product

DEMO = "demo"


@dataclass(frozen=True, slots=True)
class Location:
    """A location with shelves: the system that keeps its books and the location's id there."""

    location_id: str
    name: str
    system_id: str
    source_location_id: str
    is_store: bool = False


@dataclass(frozen=True, slots=True)
class ListingPolicy:
    """How the shopkeeper works out what a channel shows: the tenant's rules for one product."""

    safety_stock: int = 0
    buffer: int = 0
    share: Decimal = Decimal(1)
    cap: int | None = None


@dataclass(frozen=True, slots=True)
class SalesChannel:
    """`listing_location_id` is the channel's own id of the location its quantities hang on. `shows`: what they mean."""

    channel_id: str
    system_id: str
    listing_location_id: str
    served_by: tuple[str, ...]
    shows: str = "available"
    rules: tuple[Mapping[str, Any], ...] = ()

    def policy(self, product: Product) -> ListingPolicy:
        """The rules' terms for one product: of its SKU before its category before the channel's before the default."""
        terms: dict[str, Any] = {}
        fitting = [rule for rule in self.rules if _fits(rule, product)]
        for rule in sorted(fitting, key=lambda rule: ("sku" in rule, "category" in rule)):
            terms |= {name: value for name, value in rule.items() if name not in ("sku", "category")}
        return ListingPolicy(**{**terms, "share": Decimal(str(terms.get("share", 1)))})


def _fits(rule: Mapping[str, Any], product: Product) -> bool:
    wanted = (rule.get("sku", product.sku), rule.get("category", product.category))
    return wanted == (product.sku, product.category)


@dataclass(frozen=True, eq=False)
class Layout:
    """One retailer. `vendors`: the vendor of each system. `roles`: what each system is to the retailer.

    `is_integrated`: an integration of the retailer's own books the channels' orders in the ERP. `untold_channels`:
    those that no such integration tells of parcels.
    """

    vendors: Mapping[str, str]
    roles: Mapping[str, str]
    locations: Mapping[str, Location]
    channels: Mapping[str, SalesChannel]
    is_integrated: bool = True
    untold_channels: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        systems: Mapping[str, Any],
        channels: Mapping[str, Any],
        orders: Mapping[str, Any] | None = None,
        fulfilment: Mapping[str, Any] | None = None,
    ) -> "Layout":
        """Make it from the content of systems.yml, channels.yml and, where it has them, orders.yml, fulfilment.yml."""
        declared = systems["systems"]
        default = channels.get("default_rule") or {}
        return cls(
            {system_id: system["connector"] for system_id, system in declared.items()},
            {system_id: system["role"] for system_id, system in declared.items()},
            {
                location_id: Location(
                    location_id,
                    location["name"],
                    location["system_of_record"],
                    str(location["source_location_id"]),
                    is_store=declared[location["system_of_record"]]["role"] == "tills",
                )
                for location_id, location in systems["locations"].items()
            },
            {
                channel_id: SalesChannel(
                    channel_id,
                    channel["system"],
                    str(channel["listing_location"]),
                    tuple(channel["served_by"]),
                    channel.get("shows", "available"),
                    (default, *channel.get("rules", ())),
                )
                for channel_id, channel in channels["channels"].items()
            },
            orders is None or orders["orders"].get("booked_by", "trueup") != "trueup",
            frozenset()
            if fulfilment is None or fulfilment["fulfilment"].get("confirmed_by", "trueup") != "trueup"
            else frozenset(fulfilment["fulfilment"]["channels"]),
        )

    @classmethod
    def read(cls, folder: Path) -> "Layout":
        """Read it from a tenant's folder."""

        def content(name: str) -> Any:  # noqa: ANN401 - YAML
            return yaml.safe_load((folder / f"{name}.yml").read_text("utf-8"))

        orders, fulfilment = (
            content(name) if (folder / f"{name}.yml").exists() else None for name in ("orders", "fulfilment")
        )
        return cls.of(content("systems"), content("channels"), orders, fulfilment)

    @cached_property
    def erp(self) -> str:
        """The system whose word counts for the main warehouse."""
        return next(system_id for system_id, role in self.roles.items() if role == "erp")

    @cached_property
    def main(self) -> str:
        """The location that the ERP keeps: deliveries come there, and wholesale orders leave it."""
        return next(location.location_id for location in self.locations.values() if location.system_id == self.erp)

    @cached_property
    def stores(self) -> tuple[str, ...]:
        """The locations with a till."""
        return tuple(location.location_id for location in self.locations.values() if location.is_store)

    def of_role(self, role: str) -> Iterable[str]:
        """The systems of a role."""
        return (system_id for system_id, given in self.roles.items() if given == role)

    def systems_of(self, vendor: str) -> list[str]:
        """The systems that a vendor answers for, in the order in which they are declared."""
        return [system_id for system_id, given in self.vendors.items() if given == vendor]

    def locations_of(self, system_id: str) -> list[Location]:
        """The locations whose books a system keeps, in the order in which they are declared."""
        return [location for location in self.locations.values() if location.system_id == system_id]

    def channel_of(self, system_id: str) -> SalesChannel:
        """The one channel that a shop's system runs; `LookupError` where it runs none."""
        for channel in self.channels.values():
            if channel.system_id == system_id:
                return channel
        raise LookupError(f"no channel is run by system '{system_id}'; declare one in channels.yml")

    def numbers_in_erp(self) -> Mapping[str, int]:
        """By location, its id in the ERP: the ERP's own ones, and behind them stale copies of all others."""
        own = {location.location_id: int(location.source_location_id) for location in self.locations_of(self.erp)}
        others = [location.location_id for location in self.locations.values() if location.system_id != self.erp]
        first = max(own.values(), default=0) + 1
        return own | {location_id: first + index for index, location_id in enumerate(others)}


@cache
def self_reporting(layout: Layout) -> Layout:
    """The same retailer with an integration of its own that tells every channel of parcels."""
    return replace(layout, untold_channels=frozenset())


def demo_layout() -> Layout:
    """The demo tenant's."""
    return Layout.read(shipped_folder(f"tenants/{DEMO}", "systems.yml"))
