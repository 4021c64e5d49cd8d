"""One module a workflow; `POLICIES` are those that this installation keeps true."""

from trueup.corrections.engine.policy import Policy
from trueup.corrections.policies import fulfilment, inventory, orders, returns

POLICIES: tuple[Policy, ...] = (inventory.POLICY, orders.POLICY, fulfilment.POLICY, returns.POLICY)
