"""Which lines of a Vendure order a parcel takes, and which fulfilment of it is the one meant: pure rules.

A fulfilment has one text for its tracking numbers, and one, `method`, for its carrier. A parcel without numbers bears
its id there, in brackets at the end.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from trueup.connectors.parcel_documents import KnownParcel, Parcel
from trueup.connectors.parcel_documents import candidates as by_content
from trueup.connectors.reading import moment_or_none
from trueup.connectors.vendure.writers.results import answered, objects

CANCELLED: Final = "Cancelled"
# In these the order's own state would not follow its fulfilments (default order process, 3.7.3).
_NOT_YET: Final = {
    "PaymentAuthorized": "its payment is promised and not taken; take it in Vendure",
    "Modifying": "somebody is changing it; let them finish in Vendure",
    "ArrangingAdditionalPayment": "a payment of it is missing; add it in Vendure",
}
_MARK: Final = re.compile(r"\[[^\]|]+\|[^\]]*\]$")  # as in the carrier of stg_vendure__parcels
_BETWEEN: Final = re.compile(r"\s*[,;]\s*")


@dataclass(frozen=True, slots=True)
class KnownFulfilment:
    """A fulfilment of the shop. `lines`: units by order line."""

    fulfilment_ref: str
    state: str
    method: str
    created_at: datetime | None
    tracking_numbers: frozenset[str]
    lines: Mapping[str, int]

    @property
    def as_parcel(self) -> KnownParcel:
        """As every channel's parcels are compared. It names no location."""
        return KnownParcel(
            self.fulfilment_ref,
            self.state.upper(),
            None,
            self.created_at,
            sum(self.lines.values()),
            self.tracking_numbers,
        )


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order of the shop. `quantities`: units of each line that were not cancelled."""

    state: str
    quantities: Mapping[str, int]
    fulfilments: Sequence[KnownFulfilment]

    def open_units(self, line_ref: str) -> int:
        """Units of a line that are in no fulfilment."""
        taken = sum(each.lines.get(line_ref, 0) for each in self.fulfilments if each.state != CANCELLED)
        return max(0, self.quantities.get(line_ref, 0) - taken)


class NotSendable(Exception):
    """The order does not have the units now; the message names why. `is_final`: waiting does not help."""

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final


def open_order(node: Mapping[str, Any]) -> OpenOrder:
    """Read an order that was answered; raises `Transient` where a piece of it is missing."""
    quantities = {
        answered(line.get("id"), str, "an order line's id"): answered(
            line.get("quantity"), int, "an order line's units"
        )
        for line in objects(node, "lines")
    }
    fulfilments = [_known(each) for each in objects(node, "fulfillments")]
    fulfilments.sort(key=lambda each: (len(each.fulfilment_ref), each.fulfilment_ref))
    return OpenOrder(answered(node.get("state"), str, "an order's state"), quantities, fulfilments)


def _known(node: Mapping[str, Any]) -> KnownFulfilment:
    lines: dict[str, int] = {}
    for line in objects(node, "lines"):
        ref = answered(line.get("orderLineId"), str, "the order line of a fulfilment")
        lines[ref] = lines.get(ref, 0) + answered(line.get("quantity"), int, "a fulfilment's units")
    return KnownFulfilment(
        answered(node.get("id"), str, "a fulfilment's id"),
        answered(node.get("state"), str, "a fulfilment's state"),
        str(node.get("method") or ""),
        moment_or_none(node.get("createdAt")),
        frozenset(filter(None, _BETWEEN.split(str(node.get("trackingCode") or "").strip()))),
        lines,
    )


def method_of(parcel: Parcel, record_ref: str) -> str:
    """Return what is written as the way of shipping: the carrier, and our id where no number tells the parcel."""
    mark = () if parcel.tracking_numbers else (f"[{record_ref}]",)
    return " ".join((*((parcel.carrier,) if parcel.carrier else ()), *mark))


def candidates(parcel: Parcel, record_ref: str, fulfilments: Sequence[KnownFulfilment]) -> Iterator[KnownFulfilment]:
    """Yield the fulfilments that may be this parcel: the one that bears its id, else those of its content."""
    mark = f"[{record_ref}]"
    live = [each for each in fulfilments if each.state != CANCELLED]
    ours = [each for each in live if not parcel.tracking_numbers and each.method.endswith(mark)]
    # Another parcel of ours bears another id, and one that has a number is known by that.
    others = [
        each for each in live if parcel.tracking_numbers or not (each.tracking_numbers or _MARK.search(each.method))
    ]
    found = {each.fulfilment_ref for each in by_content(parcel, [each.as_parcel for each in others])}
    yield from ours or [each for each in others if each.fulfilment_ref in found]


def picks_for(parcel: Parcel, order: OpenOrder) -> Mapping[str, int]:
    """Take each line's units from what is open of it, then of lines that may stand for it: all, or `NotSendable`."""
    if order.state == CANCELLED:
        raise NotSendable("the order is cancelled; call the parcel back, or enter another order for it", is_final=True)
    if order.state in _NOT_YET:
        raise NotSendable(f"the order is {order.state}: {_NOT_YET[order.state]}")
    room = {line_ref: order.open_units(line_ref) for line_ref in order.quantities}
    picks: dict[str, int] = {}
    for line_ref, quantity in parcel.lines.items():
        alike = (line_ref, *parcel.instead.get(line_ref, ()))
        if not any(each in room for each in alike):
            raise NotSendable(f"the order has no line {line_ref}", is_final=True)
        left = quantity
        for each in alike:
            taken = min(left, room.get(each, 0))
            if taken:
                picks[each] = picks.get(each, 0) + taken
                room[each] -= taken
                left -= taken
        if left:
            raise NotSendable(
                f"{quantity} units of line {line_ref} left and {quantity - left} are open: the others are cancelled or"
                " in another fulfilment"
            )
    return picks
