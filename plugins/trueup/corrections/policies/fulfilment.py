"""Fulfilment: what left a location is reported once to the channel that took the order, with carrier and tracking.

By harm: the customer who has waited longest for word goes first (`outbox.fulfilment_changes.priority`). Guards measure
units; one person approves what is beyond them.
"""

from collections.abc import Sequence
from decimal import Decimal

from trueup.configuration.model import TenantConfiguration
from trueup.corrections.engine.policy import Limits, Policy, Target


def targets(configuration: TenantConfiguration) -> Sequence[Target]:
    """The channels that are told of parcels; none where the tenant declares none."""
    fulfilment = configuration.fulfilment
    if fulfilment is None:
        return ()
    guards = fulfilment.guards
    return [
        Target(
            name=name,
            system_id=configuration.channels[name].system,
            is_enabled=configuration.channels[name].is_enabled,
            read_stream="orders",
            field="document",
            limits=Limits(
                largest_size=guards.largest_parcel,
                largest_total=guards.largest_run,
                # A report cannot be taken back from the customer's mailbox.
                canary_share=Decimal("0.05"),
                attempts=guards.attempts,
            ),
        )
        for name in fulfilment.channels
    ]


POLICY = Policy(
    workflow="fulfilment",
    entities=("fulfilment",),
    fields=("document",),
    changes_view="fulfilment_changes",
    targets=targets,
    measure="units",
    remedy="look at reconciliation.fulfilment_differences for these parcels: the parcel, or what the channel calls its"
    " location in fulfilment.yml, is wrong",
)
