"""Which units of Shopify's fulfilment orders a parcel takes, and its carrier as Shopify spells it: pure rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from trueup.connectors import parcel_documents
from trueup.connectors.document_fields import BadDocument
from trueup.connectors.parcel_documents import Parcel
from trueup.connectors.shopify.writers.carriers import listed_carrier

_SENDABLE = frozenset({"OPEN", "IN_PROGRESS"})
_ACTION = "CREATE_FULFILLMENT"


@dataclass(frozen=True, slots=True)
class PlanLine:
    """Units of an order line that one fulfilment order still has to send."""

    plan_line_ref: str
    line_ref: str
    remaining: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A fulfilment order: what one location is to send."""

    plan_ref: str
    location_ref: str | None
    status: str
    request_status: str
    actions: frozenset[str]
    holds: tuple[str, ...]
    lines: tuple[PlanLine, ...]

    @property
    def is_sendable(self) -> bool:
        """Whether a parcel of it may be reported now."""
        return self.status in _SENDABLE and _ACTION in self.actions

    @property
    def obstacle(self) -> str:
        """Why no parcel of it may be reported, in words."""
        if self.holds or self.status == "ON_HOLD":
            return f"is on hold ({', '.join(self.holds) or 'no reason given'}); release it in Shopify"
        if self.status in _SENDABLE and self.request_status == "SUBMITTED":
            return "waits until its fulfilment service accepts the request"
        if self.status in _SENDABLE:
            return "belongs to a fulfilment service, which reports its parcels itself"
        return f"is {self.status.lower()}"


@dataclass(frozen=True, slots=True)
class Pick:
    """Units of one fulfilment order's line that go into the parcel."""

    plan_ref: str
    plan_line_ref: str
    quantity: int


class NotSendable(Exception):
    """The store's fulfilment orders do not have the units; the message names why. `is_final`: waiting does not help."""

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final


def parcel_of(content: Mapping[str, Any]) -> Parcel:
    """Read a document; raises `BadDocument` where Shopify would not take it, or would take it for something else."""
    parcel = parcel_documents.parcel_of(content)
    listed = None if parcel.carrier is None else listed_carrier(parcel.carrier)
    if parcel.carrier is not None and listed is None and parcel.tracking_numbers and not parcel.tracking_urls:
        raise BadDocument(
            f"Shopify knows no carrier '{parcel.carrier}', so its parcels cannot be followed; map it to one of"
            " Shopify's names, or give an address for each number"
        )
    return replace(parcel, carrier=listed or parcel.carrier)


def picks_for(parcel: Parcel, plans: Sequence[Plan]) -> list[Pick]:
    """Take each line's units from the fulfilment orders of the parcel's location, by the order line's id.

    Not by the item: two lines may have the same one, and a line may be split over two fulfilment orders. Of lines that
    may stand for one another those are taken that the location has. Raises `NotSendable` where they do not have them
    all: all of a parcel is reported, or nothing.
    """
    here = [plan for plan in plans if plan.is_sendable and plan.location_ref == parcel.location_ref]
    remaining = {line.plan_line_ref: line.remaining for plan in here for line in plan.lines}
    taken: dict[tuple[str, str], int] = {}
    for line_ref, quantity in parcel.lines.items():
        left = quantity
        for wanted in (line_ref, *parcel.instead.get(line_ref, ())):
            for plan in here:
                for line in plan.lines:
                    units_here = min(left, remaining[line.plan_line_ref]) if line.line_ref == wanted else 0
                    if units_here > 0:
                        pick = (plan.plan_ref, line.plan_line_ref)
                        taken[pick] = taken.get(pick, 0) + units_here
                        remaining[line.plan_line_ref] -= units_here
                        left -= units_here
        if left:
            raise _missing(parcel, line_ref, quantity - left, plans)
    return [Pick(plan_ref, plan_line_ref, quantity) for (plan_ref, plan_line_ref), quantity in taken.items()]


def _missing(parcel: Parcel, line_ref: str, found: int, plans: Sequence[Plan]) -> NotSendable:
    wanted = parcel.lines[line_ref]
    having = [plan for plan in plans if any(line.line_ref == line_ref for line in plan.lines)]
    if not having:
        return NotSendable(
            f"no fulfilment order has {line_ref}: it needs no shipping, is of another order, or belongs to a service"
            " whose fulfilment orders the app may not see",
            is_final=True,
        )
    open_elsewhere = [
        plan
        for plan in having
        if any(line.line_ref == line_ref and line.remaining > 0 for line in plan.lines)
        and not (plan.is_sendable and plan.location_ref == parcel.location_ref)
    ]
    why = [
        f"{plan.plan_ref} {plan.obstacle}"
        if not plan.is_sendable
        else f"{plan.plan_ref} is assigned to {plan.location_ref} now"
        for plan in open_elsewhere
    ]
    reason = "; ".join(why) or "the others are fulfilled or cancelled there"
    return NotSendable(f"{wanted} units of {line_ref} left {parcel.location_ref} and {found} are open there: {reason}")
