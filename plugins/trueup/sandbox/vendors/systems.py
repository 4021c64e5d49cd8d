"""Which simulator answers for which system of a retailer: its vendor's, found in vendors/<vendor>/simulator.py."""

import importlib
import importlib.util

from trueup.domain.errors import Permanent
from trueup.sandbox.vendors.simulator import Simulator
from trueup.sandbox.webhooks import Courier
from trueup.sandbox.world.faults import Faults
from trueup.sandbox.world.world import World


def simulator_of(vendor: str) -> type[Simulator]:
    """The vendor's simulator; `Permanent` where nobody has written one."""
    name = f"trueup.sandbox.vendors.{vendor}"
    if importlib.util.find_spec(name) is None:
        raise Permanent(
            f"the sandbox has no simulator of '{vendor}'; take its systems out of this tenant, or write"
            f" plugins/trueup/sandbox/vendors/{vendor}/simulator.py"
        )
    simulator: type[Simulator] = importlib.import_module(f"{name}.simulator").SIMULATOR
    return simulator


def build_simulators(world: World, faults: Faults, courier: Courier) -> dict[str, Simulator]:
    """One simulator a system, attached to the world, by system id; their books open with the world's next reset."""
    simulators = {
        system_id: simulator_of(vendor)(system_id, world, faults, courier)
        for system_id, vendor in world.layout.vendors.items()
    }
    for simulator in simulators.values():
        world.attach(simulator)
    return simulators
