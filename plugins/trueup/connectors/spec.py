"""What a vendor is, declared in its folder's spec.py: the registry finds it there, and nothing else lists it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from trueup.configuration.model import QuantityMeaning
from trueup.connectors.forms import FormField

STOCK_SET: Final = "stock.set"
"""Sets the quantity that a channel shows."""


@dataclass(frozen=True, slots=True)
class ConnectorSpec:
    """One vendor. `name` is its folder's; `streams` in the order in which they are to be read.

    Builders are named as "module:function" below the vendor's folder and imported when first used. `reader` takes
    `(details, state)`. `writes`: by what is written (`stock.set`, ...), the writer's builder; it takes the channel's
    declaration as well. `shows`: the meanings of a shown quantity that `stock.set` can write. `signed_in`: the header,
    in lower case, that carries the signature of the vendor's webhooks, None where it sends none; `webhook` proves it.
    """

    name: str
    title: str
    streams: tuple[str, ...]
    form: tuple[FormField, ...]
    reader: str = "reader:connect"
    writes: Mapping[str, str] = field(default_factory=dict)
    shows: frozenset[QuantityMeaning] = frozenset()
    signed_in: str | None = None
    webhook: str = "webhooks:verify"
