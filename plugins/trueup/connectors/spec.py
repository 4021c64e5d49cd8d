"""What a vendor is, declared in its folder's spec.py: the registry finds it there, and nothing else lists it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from trueup.configuration.model import QuantityMeaning
from trueup.connectors.forms import FormField

STOCK_SET: Final = "stock.set"
"""Sets the quantity that a channel shows."""
ORDER_CREATE: Final = "order.create"
"""Books an order."""
ORDER_TRANSITION: Final = "order.transition"
"""Moves an order's state, such as to cancelled."""
REFUND_CREATE: Final = "refund.create"
"""Gives money back at a channel, or credits it in the books."""
FULFILMENT_CREATE: Final = "fulfilment.create"
"""Reports a parcel that left."""
SELDOM_SECONDS: Final = 300
"""For what changes some times a year: a location that opens or closes."""


@dataclass(frozen=True, slots=True)
class Polling:
    """How one stream is polled. `is_whole`: the vendor tells of it no changes, so every poll reads all there is.

    Such a poll counts as a sweep: it confirms what it met and finds what was deleted. `every_seconds`: at most so
    often, where that is more seldom than the system's own polls.
    """

    is_whole: bool = False
    every_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Option:
    """One thing that a writer has to be told of the retailer's own account, in systems.yml: `options: {name: ...}`.

    `help`: what to enter. What is not `is_required` may be left out where it never occurs.
    """

    name: str
    help: str
    is_required: bool = True


@dataclass(frozen=True, slots=True)
class ConnectorSpec:
    """One vendor. `name` is its folder's; `streams` in the order in which they are to be read.

    Builders are named as "module:function" below the vendor's folder and imported when first used. `reader` takes
    `(details, state)`. `polling`: of the streams that are polled otherwise than for changes, or more seldom than the
    system. `writes`: by what is written (`stock.set`, ...), the writer's builder; it takes the channel's declaration as
    well, or the system's where it writes to the system itself. `options`: what its writers are told. `shows`: the
    meanings of a shown quantity that `stock.set` can write. `signed_in`: the header, in lower case, that carries the
    signature of the vendor's webhooks, None where it sends none; `webhook` proves it.
    """

    name: str
    title: str
    streams: tuple[str, ...]
    form: tuple[FormField, ...]
    polling: Mapping[str, Polling] = field(default_factory=dict)
    reader: str = "reader:connect"
    writes: Mapping[str, str] = field(default_factory=dict)
    options: tuple[Option, ...] = ()
    shows: frozenset[QuantityMeaning] = frozenset()
    signed_in: str | None = None
    webhook: str = "webhooks:verify"

    def __post_init__(self) -> None:
        unknown = sorted(set(self.polling) - set(self.streams))
        if unknown:
            raise ValueError(
                f"{self.name}: polling names no stream: {', '.join(unknown)}; correct it or add the stream"
            )
