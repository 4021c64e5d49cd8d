"""Returns: what customers send back, what they get instead, and what became of the goods."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from trueup.sandbox.vendors.shopify.fulfilments import FulfilledLine
from trueup.sandbox.vendors.shopify.objects import Location, Record
from trueup.sandbox.vendors.shopify.order_lines import Line
from trueup.sandbox.world.money import Amounts, Currencies

if TYPE_CHECKING:
    from trueup.sandbox.vendors.shopify.payments import Transaction
    from trueup.sandbox.vendors.shopify.refunds import Refund
    from trueup.sandbox.vendors.shopify.shop_order import ShopOrder


@dataclass(frozen=True, slots=True)
class ReasonDefinition:
    """Why it came back, by Shopify's list."""

    handle: ClassVar[str] = "unwanted"
    name: ClassVar[str] = "Unwanted"
    id: ClassVar[str] = "gid://shopify/ReturnReasonDefinition/1"


_UNWANTED = ReasonDefinition()


@dataclass(frozen=True, slots=True)
class Weight:
    """What goods weigh: nothing is weighed here."""

    unit: ClassVar[str] = "KILOGRAMS"
    value: float = 0.0


_UNWEIGHED = Weight()


@dataclass(slots=True)
class ReturnLine(Record):
    """Units of a parcel's line that come back. `processed_quantity`: of them dealt with."""

    kind: ClassVar[str] = "ReturnLineItem"
    fulfillment_line_item: FulfilledLine
    quantity: int
    processed_quantity: int = 0
    refunded_quantity: int = 0
    customer_note: ClassVar[str | None] = None
    return_reason: ClassVar[str] = "UNWANTED"
    return_reason_note: ClassVar[str] = ""
    return_reason_definition: ClassVar[ReasonDefinition] = _UNWANTED
    total_weight: ClassVar[Weight] = _UNWEIGHED

    @property
    def currencies(self) -> Currencies:
        """The order's."""
        return self.fulfillment_line_item.currencies

    @property
    def line(self) -> Line:
        """The order's line."""
        return self.fulfillment_line_item.line_item

    @property
    def unprocessed_quantity(self) -> int:
        return self.quantity - self.processed_quantity

    @property
    def processable_quantity(self) -> int:
        return self.unprocessed_quantity

    @property
    def refundable_quantity(self) -> int:
        return self.quantity - self.refunded_quantity

    @property
    def with_code_discounted_total_price_set(self) -> Amounts:
        parcel = self.fulfillment_line_item
        return parcel.line_item.share(parcel.start, parcel.start + self.quantity).subtotal


@dataclass(slots=True)
class ExchangeLine(Record):
    """What the customer gets instead."""

    kind: ClassVar[str] = "ExchangeLineItem"
    line: Line
    quantity: int
    processed_quantity: int = 0

    @property
    def line_items(self) -> list[Line]:
        return [self.line]

    @property
    def unprocessed_quantity(self) -> int:
        return self.quantity - self.processed_quantity

    @property
    def processable_quantity(self) -> int:
        return self.unprocessed_quantity

    @property
    def title(self) -> str:
        return self.line.title

    @property
    def product_id(self) -> str | None:
        return None if self.line.product is None else self.line.product.id

    @property
    def variant_id(self) -> str | None:
        return None if self.line.variant is None else self.line.variant.id

    @property
    def variant_sku(self) -> str:
        return self.line.sku

    @property
    def variant_title(self) -> str | None:
        return self.line.variant_title


@dataclass(slots=True)
class Disposition(Record):
    """What became of units that came back."""

    kind: ClassVar[str] = "ReverseFulfillmentOrderDisposition"
    type: str
    quantity: int
    location: Location | None = field(repr=False)
    created_at: datetime


@dataclass(slots=True)
class ReverseLine(Record):
    """Units that are expected back."""

    kind: ClassVar[str] = "ReverseFulfillmentOrderLineItem"
    fulfillment_line_item: FulfilledLine
    total_quantity: int
    dispositions: list[Disposition] = field(default_factory=list)

    @property
    def open(self) -> int:
        """Units that nothing was said of yet."""
        return self.total_quantity - sum(each.quantity for each in self.dispositions)


@dataclass(slots=True)
class ReverseOrder(Record):
    """The way back of a return's goods."""

    kind: ClassVar[str] = "ReverseFulfillmentOrder"
    order: "ShopOrder" = field(repr=False)
    lines: list[ReverseLine]

    @property
    def status(self) -> str:
        return "OPEN" if any(line.open for line in self.lines) else "CLOSED"


@dataclass(slots=True)
class Return(Record):
    """A return."""

    kind: ClassVar[str] = "Return"
    order: "ShopOrder" = field(repr=False)
    created_at: datetime
    lines: list[ReturnLine]
    exchanges: list[ExchangeLine]
    reverse_orders: list[ReverseOrder]
    refund_list: list["Refund"] = field(default_factory=list, repr=False)
    closed_at: datetime | None = None
    decline: ClassVar[None] = None

    @property
    def name(self) -> str:
        return f"{self.order.name}-R{self.order.return_list.index(self) + 1}"

    @property
    def status(self) -> str:
        return "OPEN" if self.closed_at is None else "CLOSED"

    @property
    def request_approved_at(self) -> datetime:
        return self.created_at

    @property
    def total_quantity(self) -> int:
        return sum(line.quantity for line in self.lines)

    @property
    def transactions(self) -> "list[Transaction]":
        """The money of its refunds."""
        return [each for refund in self.refund_list for each in refund.transactions]

    def lines_of(self, status: str | None) -> list[ReturnLine]:
        """Its lines, all of them or by whether they wait to be dealt with (PROCESSABLE) or do not (PROCESSED)."""
        return [line for line in self.lines if _is_in(status, line.unprocessed_quantity)]

    def exchanges_of(self, status: str | None) -> list[ExchangeLine]:
        """The same of what the customer gets instead."""
        return [line for line in self.exchanges if _is_in(status, line.unprocessed_quantity)]

    @property
    def is_processed(self) -> bool:
        """Whether nothing of it waits to be dealt with."""
        return not self.lines_of("PROCESSABLE") and not self.exchanges_of("PROCESSABLE")


def _is_in(status: str | None, unprocessed: int) -> bool:
    return status is None or (status == "PROCESSABLE") is bool(unprocessed)
