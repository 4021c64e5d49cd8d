"""Orders: what a system took is booked in the ERP once, to the cent, and cancelled there when it is cancelled.

By harm: an order that is cancelled and still booked is shipped and paid back, so it goes before what is missing, the
oldest first (`outbox.order_changes.priority`). Guards measure whole units of each order's currency; one person approves
what is beyond them.
"""

from collections.abc import Sequence
from decimal import Decimal

from trueup.configuration.model import TenantConfiguration
from trueup.corrections.engine.policy import Limits, Policy, Target


def targets(configuration: TenantConfiguration) -> Sequence[Target]:
    """The ERP in which orders are booked; none where the tenant books no orders."""
    orders = configuration.orders
    if orders is None:
        return ()
    guards = orders.guards
    return (
        Target(
            name=orders.booked_in,
            system_id=orders.booked_in,
            read_stream="orders",
            limits=Limits(
                largest_size=guards.largest_order,
                largest_total=guards.largest_run,
                # An ERP that takes the first few as they are takes the others.
                canary_share=Decimal("0.02"),
                attempts=guards.attempts,
            ),
        ),
    )


POLICY = Policy(
    workflow="orders",
    entities=("order",),
    fields=("document", "status"),
    changes_view="order_changes",
    targets=targets,
    measure="units of currency",
    remedy="look at reconciliation.order_differences for these orders: the order, or the ERP's items for what is no"
    " product, are declared wrong",
    starts_from={"cancelled": frozenset({"open"}), "closed": frozenset({"open"})},
)
