"""What the world writes into a vendor's books: one class per kind of entry.

An entry reaches `Simulator.record` at the world's second `recorded_at`. What it tells happened at
`happened_at`, hours earlier perhaps: that delay is the vendor's, and it is why channels go wrong.

Stock effect: `StockMoved`, `TillSold`, `TillReturned`, `OrderShipped` and `OrderReturned` change the stock of
`location_id` in the books of the system that keeps that location; `StockCounted` replaces it. Sent to a channel,
`OrderShipped` is a fulfilment and `OrderReturned` a refund: no stock of the channel moves with them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from trueup.sandbox.world.money import Amounts
from trueup.sandbox.world.order_money import LineKind, LineMoney, OrderMoney


class MovementKind(StrEnum):
    """Why units came or went, other than by an order or at a till.

    Damaged units are sellable no more. A vendor that keeps them on its shelf under another name (Square: WASTE)
    shows them so; none of them is part of the sellable figure.
    """

    RECEIPT = "receipt"
    ADJUST = "adjust"
    DAMAGE = "damage"
    TRANSFER = "transfer"


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One line. `sku` is None for what is no product: postage, fees, samples; `code` is what was keyed in.

    `location_id`: where the router sends it, None while the system told does not know.
    """

    line_id: str
    sku: str | None
    code: str
    title: str
    quantity: int
    unit_price_minor: int
    location_id: str | None = None


GIFT_CARD, TIP = "GIFT-CARD", "TIP"
_KINDS = {GIFT_CARD: LineKind.GIFT_CARD, TIP: LineKind.TIP}


def kind_of(line: OrderLine) -> LineKind:
    """Whether a line is goods; if not, its code says what."""
    return LineKind.GOODS if line.sku is not None else _KINDS.get(line.code, LineKind.SERVICE)


@dataclass(frozen=True, slots=True)
class Order:
    """An order as a system gets it. `channel_id` None: the ERP's own wholesale order.

    `money` None: nobody told. `supplements`: the order that this one is part of at the channel, such as the goods of an
    exchange, which those who ship know under a name of their own.
    """

    name: str
    channel_id: str | None
    placed_at: datetime
    country: str
    lines: tuple[OrderLine, ...]
    currency: str = "GBP"
    money: OrderMoney | None = None
    supplements: str | None = None


@dataclass(frozen=True, slots=True)
class LineQuantity:
    """Part of an order's or a receipt's line."""

    line_id: str
    sku: str | None
    quantity: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What every entry tells.

    `moves_timestamp` False: change the quantity, but leave the record's "last changed" alone. Real
    systems do this, and so must the simulators.
    """

    entry_id: str
    system_id: str
    recorded_at: datetime
    happened_at: datetime
    moves_timestamp: bool


@dataclass(frozen=True, slots=True)
class StockMoved(Entry):
    """Units came (+) or went (-) at a location. A transfer is two entries with the same `reference`."""

    kind: MovementKind
    sku: str
    location_id: str
    delta: int
    reference: str
    memo: str = ""


@dataclass(frozen=True, slots=True)
class StockCounted(Entry):
    """Somebody counted: from `happened_at` on, this is the figure."""

    sku: str
    location_id: str
    counted: int
    reference: str


@dataclass(frozen=True, slots=True)
class LevelCopied(Entry):
    """A stale copy of another system's figure, as ERPs keep them: shown, and not to be believed."""

    sku: str
    location_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class TillSold(Entry):
    """A sale at a till of a store."""

    reference: str
    location_id: str
    lines: tuple[OrderLine, ...]


@dataclass(frozen=True, slots=True)
class TillReturned(Entry):
    """Goods brought back to a store and put on the shelf again. `sold_reference` None: no receipt shown."""

    reference: str
    sold_reference: str | None
    location_id: str
    lines: tuple[OrderLine, ...]


@dataclass(frozen=True, slots=True)
class OrderEntered(Entry):
    """An order arrives: at the channel that took it, or as a copy in the system that will ship it.

    A copy has only the lines which that system ships (and those that are no products). `routed`: which location is to
    ship how many, by (line id, location); told to the channel only.
    """

    order: Order
    routed: tuple[tuple[str, str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class OrderShipped(Entry):
    """Units left a location for an order. In the location's own system they leave its stock with this entry."""

    order_name: str
    location_id: str
    reference: str
    lines: tuple[LineQuantity, ...]
    channel_id: str | None

    @property
    def tracking_number(self) -> str:
        """The carrier's number of the parcel, the same in every system that tells of it."""
        return f"RM{self.reference}"


@dataclass(frozen=True, slots=True)
class OrderCancelled(Entry):
    """Units of an order that will not be shipped any more; all of them where every line is named in full.

    `is_restocked`: a channel puts them back on its own listing at once.
    """

    order_name: str
    lines: tuple[LineQuantity, ...]
    is_restocked: bool
    is_whole: bool
    channel_id: str | None


@dataclass(frozen=True, slots=True)
class OrderReturned(Entry):
    """Shipped units that came back to a location and are sellable again.

    Told to a channel: `is_refunded` False leaves the money to whoever processes the return; `exchanged` are the lines
    that the customer gets instead.
    """

    order_name: str
    location_id: str
    reference: str
    lines: tuple[LineQuantity, ...]
    channel_id: str | None
    is_refunded: bool = True
    exchanged: tuple[OrderLine, ...] = ()
    exchanged_money: Mapping[str, LineMoney] | None = None


@dataclass(frozen=True, slots=True)
class PaymentsCompleted(Entry):
    """The gateways have carried out whatever was pending of an order's payments and refunds."""

    order_name: str


@dataclass(frozen=True, slots=True)
class OrderEdited(Entry):
    """Staff changed an order before it was shipped: units taken off, lines added. No refund comes of it by itself."""

    order_name: str
    removed: tuple[LineQuantity, ...]
    added: tuple[OrderLine, ...]
    added_money: Mapping[str, LineMoney] | None
    channel_id: str | None


@dataclass(frozen=True, slots=True)
class AmountRefunded(Entry):
    """Staff gave money back for no goods: an apology."""

    order_name: str
    amount: Amounts
    reason: str


class PlanChange(StrEnum):
    """What staff may do with the plan of who ships what."""

    HOLD = "hold"
    RELEASE = "release"
    MOVE = "move"
    SPLIT = "split"
    MERGE = "merge"
    REQUEST = "request"
    ACCEPT = "accept"


@dataclass(frozen=True, slots=True)
class PlanChanged(Entry):
    """The channel's plan of who ships what was changed. `location_id`: whose part, and for a move `to_location_id`."""

    order_name: str
    change: PlanChange
    location_id: str
    to_location_id: str | None = None
    reason: str = ""
