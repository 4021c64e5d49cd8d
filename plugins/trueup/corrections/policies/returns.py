"""Returns: what was refunded is credited in the ERP once, and what came back is refunded, never above what was paid.

By harm: a customer whose goods are here and whose money is not goes first, then the refund that has waited longest for
its credit (`outbox.return_changes.priority`). A credit follows money that has gone back already, so the guards are
enough for it. A refund moves money: two people approve each, unless the tenant says otherwise. Guards measure whole
units of each order's currency.
"""

from collections.abc import Sequence
from decimal import Decimal

from trueup.configuration.model import TenantConfiguration
from trueup.corrections.engine.policy import Approvals, Limits, Policy, Target


def targets(configuration: TenantConfiguration) -> Sequence[Target]:
    """The ERP in which refunds are credited and the channels whose customers are refunded; none where none is told."""
    returns = configuration.returns
    if returns is None:
        return ()
    limits = Limits(
        largest_size=returns.guards.largest_refund,
        largest_total=returns.guards.largest_run,
        # Books that take the first few as they are take the others.
        canary_share=Decimal("0.02"),
        attempts=returns.guards.attempts,
    )
    erp = Target(name=returns.credited_in, system_id=returns.credited_in, read_stream="credits", limits=limits)
    channels = [
        Target(
            name=name,
            system_id=channel.system,
            is_enabled=channel.is_enabled,
            read_stream="orders",
            limits=limits,
            always=Approvals(returns.refund_approvals),
        )
        for name, channel in configuration.channels.items()
        if channel.system in returns.taken_by
    ]
    return (erp, *channels)


POLICY = Policy(
    workflow="returns",
    entities=("refund",),
    fields=("document",),
    changes_view="return_changes",
    targets=targets,
    measure="units of currency",
    remedy="look at reconciliation.return_differences for these orders: what came back, or what was paid, is otherwise"
    " than the channel says",
    beyond_guards=Approvals.TWO_PEOPLE,
)
