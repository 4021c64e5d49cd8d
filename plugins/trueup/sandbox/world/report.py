"""The truth as JSON: what `/world/truth` tells and reports print."""

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trueup.sandbox.world.world import World

if TYPE_CHECKING:
    from trueup.sandbox.business.trade import Trade


def tell_truth(
    world: World, trade: "Trade", *, skus: frozenset[str] | None = None, is_detailed: bool = True
) -> dict[str, Any]:
    """Units unless it says otherwise.

    `shelves`: one row a (SKU, location): physical, promised, the books' figure and what is still unrecorded.
    `channels`: per channel sold, oversold and lost units, lines refused for whatever reason;
    `listings` what it shows by SKU.
    `open_orders`: every order not fully shipped or cancelled, by location. `shipped`: units that have left, by order.
    `products`: what the rules of a channel may ask of a SKU.
    `counts`: what was sold and given back, in lines and units by kind, as `transactions.LineKind` has them.
    `oversold`, `lost`: each case, the oversold with the facts behind it.
    """
    truth = world.truth
    content: dict[str, Any] = {
        "now": world.now(),
        "channels": {
            channel_id: {
                "sold_units": trade.customers.sold_units.get(channel_id, 0),
                "oversold_units": sum(case.units for case in truth.oversold if case.channel_id == channel_id),
                "lost_units": sum(case.units for case in truth.lost if case.channel_id == channel_id),
                "refused_visits": trade.customers.refused_visits.get(channel_id, 0),
            }
            for channel_id in world.layout.channels
        },
        "oversold_units": sum(case.units for case in truth.oversold),
        "lost_units": sum(case.units for case in truth.lost),
        "open_orders": sum(order.is_open for order in trade.fulfilment.orders.values()),
        "counts": dict(trade.customers.counts),
    }
    if is_detailed:
        content["products"] = {
            sku: {"category": product.category}
            for sku, product in world.catalogue.products.items()
            if skus is None or sku in skus
        }
        content["shelves"] = _shelves(world, skus)
        content["listings"] = _listings(world, skus)
        content["orders_open"] = [
            {
                "order": order.order.name,
                "channel_id": order.order.channel_id,
                "parts": [
                    {"sku": part.sku, "location_id": part.location_id, "open": part.open}
                    for part in order.parts
                    if part.open and (skus is None or part.sku in skus)
                ],
            }
            for order in trade.fulfilment.orders.values()
            if order.is_open
        ]
        content["shipped"] = [
            {"channel_id": channel_id, "order": name, "units": units}
            for (channel_id, name), units in _shipped(trade).items()
        ]
        content["oversold"] = [case for case in truth.oversold if skus is None or case.sku in skus]
        content["lost"] = [case for case in truth.lost if skus is None or case.sku in skus]
    return content


def _shipped(trade: "Trade") -> Mapping[tuple[str, str], int]:
    """By channel and order, as the channel calls it: what an edit added is part of its order."""
    shipped: dict[tuple[str, str], int] = defaultdict(int)
    for each in trade.fulfilment.orders.values():
        if each.order.channel_id is not None:
            name = each.order.supplements or each.order.name
            shipped[each.order.channel_id, name] += sum(part.shipped for part in each.parts)
    return shipped


def _shelves(world: World, skus: frozenset[str] | None) -> list[dict[str, Any]]:
    return [
        {
            "sku": sku,
            "location_id": location_id,
            "physical": units,
            "promised": world.truth.promised.get((sku, location_id), 0),
            "book": world.books[world.layout.locations[location_id].system_id].on_hand(sku, location_id),
            "unrecorded": world.unrecorded(sku, location_id),
        }
        for (sku, location_id), units in world.truth.physical.items()
        if skus is None or sku in skus
    ]


def _listings(world: World, skus: frozenset[str] | None) -> Mapping[str, Mapping[str, int]]:
    content: dict[str, dict[str, int]] = {}
    for channel_id in world.layout.channels:
        front = world.storefront(channel_id)
        if front is None:
            continue
        shown = ((sku, front.shown(sku)) for sku in world.catalogue.products if skus is None or sku in skus)
        content[channel_id] = {sku: quantity for sku, quantity in shown if quantity is not None}
    return content
