"""The vendors of the demo world: which simulator answers for which system."""

from collections.abc import Callable, Mapping

from trueup.sandbox.faults import Faults
from trueup.sandbox.netsuite.simulator import NetSuiteSimulator
from trueup.sandbox.shipbob.simulator import ShipBobSimulator
from trueup.sandbox.shopify.simulator import ShopifySimulator
from trueup.sandbox.simulator import Simulator
from trueup.sandbox.square.simulator import SquareSimulator
from trueup.sandbox.webhooks import Courier
from trueup.sandbox.world import World

SIMULATORS: Mapping[str, Callable[[str, World, Faults, Courier], Simulator]] = {
    "netsuite": NetSuiteSimulator,
    "shipbob": ShipBobSimulator,
    "square": SquareSimulator,
    "shopify_main": ShopifySimulator,
    "shopify_outlet": ShopifySimulator,
}
"""By system id; the id is also the first part of every path (`/<system_id>/...`)."""


def build_simulators(world: World, faults: Faults, courier: Courier) -> dict[str, Simulator]:
    """One simulator a system, attached to the world; their books open with the world's next reset."""
    simulators = {system_id: build(system_id, world, faults, courier) for system_id, build in SIMULATORS.items()}
    for simulator in simulators.values():
        world.attach(simulator)
    return simulators
