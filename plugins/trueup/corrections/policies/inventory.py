"""Inventory: what each channel shows of each product, set to what may be sold there.

By harm: what a channel overstates can be sold twice, so it goes before what it understates, the larger first
(`outbox.stock_changes.priority`). Guards measure units and the share of a channel's listings; one person approves what
is beyond them.
"""

from collections.abc import Sequence

from trueup.configuration.model import TenantConfiguration
from trueup.corrections.engine.policy import Limits, Policy, Population, Target
from trueup.domain.changes import Change
from trueup.domain.values import Quantity, Value


def targets(configuration: TenantConfiguration) -> Sequence[Target]:
    """Every channel. What it shows is read from its listings, or by its stock levels where it has none."""
    found = []
    for name, channel in configuration.channels.items():
        system = configuration.systems.get(channel.system)
        has_listings = system is None or "listings" in system.streams
        guards = channel.guards
        found.append(
            Target(
                name=name,
                system_id=channel.system,
                is_enabled=channel.is_enabled,
                read_stream="listings" if has_listings else "stock_levels",
                field=str(channel.shows),
                limits=Limits(
                    largest_share=guards.largest_share,
                    largest_share_applies_from=guards.largest_share_applies_from,
                    largest_size=guards.largest_jump,
                    canary_share=guards.canary_share,
                    attempts=guards.attempts,
                ),
            )
        )
    return found


def explain_read_back(change: Change, observed: Value) -> str | None:
    """Less than was written may be a sale that came between; more, or what was there before, cannot."""
    if not (isinstance(observed, Quantity) and isinstance(change.desired, Quantity)):
        return None
    is_sale = observed.units < change.desired.units and observed != change.expected
    return "a sale may have come between" if is_sale else None


POLICY = Policy(
    workflow="inventory",
    entities=("stock",),
    fields=("available", "on_hand"),
    changes_view="stock_changes",
    targets=targets,
    measure="units",
    population=Population("canonical.channel_listings", "channel", "is_listed", "listings"),
    explains=explain_read_back,
    remedy="look at marts.ats_positions and canonical.channel_listings for these SKUs: the build or the SKU aliases"
    " are wrong",
)
