"""Parcels that have left, and the plan of who is to send what."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from trueup.sandbox.vendors.shopify.objects import Location, Record, Variant
from trueup.sandbox.vendors.shopify.order_lines import Line, Service
from trueup.sandbox.world.money import Amounts, Currencies

if TYPE_CHECKING:
    from trueup.sandbox.vendors.shopify.shop_order import ShopOrder

_ACTIONS = {
    "OPEN": ("CREATE_FULFILLMENT", "HOLD", "MOVE", "SPLIT"),
    "IN_PROGRESS": ("CREATE_FULFILLMENT", "HOLD", "MOVE"),
    "ON_HOLD": ("RELEASE_HOLD", "MOVE"),
}
_HOLD_REASONS = {
    "AWAITING_PAYMENT": "Awaiting payment",
    "HIGH_RISK_OF_FRAUD": "High risk of fraud",
    "INCORRECT_ADDRESS": "Incorrect address",
    "INVENTORY_OUT_OF_STOCK": "Inventory out of stock",
    "OTHER": "Other",
}


@dataclass(slots=True)
class FulfilledLine(Record):
    """Units of a line in a parcel. `start`: how many of the line were fulfilled before."""

    kind: ClassVar[str] = "FulfillmentLineItem"
    line_item: Line
    quantity: int
    start: int
    returned: int = 0

    @property
    def currencies(self) -> Currencies:
        """The order's."""
        return self.line_item.currencies

    @property
    def original_total_set(self) -> Amounts:
        return self.line_item.money.unit * self.quantity

    @property
    def discounted_total_set(self) -> Amounts:
        share = self.line_item.share(self.start, self.start + self.quantity)
        return share.gross - share.line_discount


@dataclass(frozen=True, slots=True)
class Tracking:
    """Where a parcel can be followed."""

    company: str | None
    number: str | None
    url: str | None


@dataclass(slots=True)
class Fulfillment(Record):
    """A parcel that has left."""

    kind: ClassVar[str] = "Fulfillment"
    order: "ShopOrder" = field(repr=False)
    location: Location = field(repr=False)
    created_at: datetime
    lines: list[FulfilledLine]
    plans: list["FulfillmentOrder"] = field(default_factory=list, repr=False)
    trackings: list[Tracking] = field(default_factory=list)
    status: str = "SUCCESS"
    delivered_at: ClassVar[None] = None
    in_transit_at: ClassVar[None] = None
    display_status: ClassVar[str] = "FULFILLED"
    requires_shipping: ClassVar[bool] = True

    @property
    def updated_at(self) -> datetime:
        return self.created_at

    @property
    def name(self) -> str:
        return f"{self.order.name}.{self.order.fulfillment_list.index(self) + 1}"

    @property
    def total_quantity(self) -> int:
        return sum(line.quantity for line in self.lines)

    @property
    def service(self) -> Service:
        return Service(self.location, "MANUAL")


@dataclass(slots=True)
class PlanLine(Record):
    """Units of a line that one location is to send. `remaining_quantity`: not sent yet."""

    kind: ClassVar[str] = "FulfillmentOrderLineItem"
    line_item: Line
    total_quantity: int
    remaining_quantity: int

    @property
    def inventory_item_id(self) -> str | None:
        variant = self.line_item.variant
        return None if variant is None else variant.inventory_item.id

    @property
    def product_title(self) -> str:
        return self.line_item.title

    @property
    def requires_shipping(self) -> bool:
        return self.line_item.requires_shipping

    @property
    def sku(self) -> str:
        return self.line_item.sku

    @property
    def variant(self) -> Variant | None:
        return self.line_item.variant

    @property
    def variant_title(self) -> str | None:
        return self.line_item.variant_title

    @property
    def vendor(self) -> str | None:
        return self.line_item.vendor


@dataclass(slots=True)
class Hold(Record):
    """Why nothing is sent for now."""

    kind: ClassVar[str] = "FulfillmentHold"
    reason: str
    reason_notes: str | None = None
    handle: ClassVar[None] = None
    held_by_requesting_app: ClassVar[bool] = False

    @property
    def display_reason(self) -> str:
        return _HOLD_REASONS[self.reason]


@dataclass(frozen=True, slots=True)
class AssignedLocation:
    """The location as it was called when the plan was made."""

    location: Location
    address1: ClassVar[str] = "1 Harbour Road"
    city: ClassVar[str] = "Bristol"
    zip: ClassVar[str] = "BS1 4DJ"
    country_code: ClassVar[str] = "GB"

    @property
    def name(self) -> str:
        return self.location.name


@dataclass(frozen=True, slots=True)
class DeliveryMethod:
    """How it is to reach the customer."""

    id: str
    method_type: ClassVar[str] = "SHIPPING"
    presented_name: ClassVar[str] = "Standard"
    service_code: ClassVar[str] = "STANDARD"


@dataclass(frozen=True, slots=True)
class SupportedAction:
    """What the merchant may do with a plan now."""

    action: str
    external_url: ClassVar[None] = None


@dataclass(slots=True)
class FulfillmentOrder(Record):
    """What one location is to send of an order."""

    kind: ClassVar[str] = "FulfillmentOrder"
    order: "ShopOrder" = field(repr=False)
    location: Location = field(repr=False)
    created_at: datetime
    updated_at: datetime
    lines: list[PlanLine]
    holds: list[Hold] = field(default_factory=list)
    fulfillment_list: list[Fulfillment] = field(default_factory=list, repr=False)
    request_status: str = "UNSUBMITTED"

    @property
    def is_requested(self) -> bool:
        """Whether a fulfilment service was asked to send it and has not accepted yet."""
        return self.request_status == "SUBMITTED"

    @property
    def remaining(self) -> int:
        """Units that are still to be sent."""
        return sum(line.remaining_quantity for line in self.lines)

    @property
    def status(self) -> str:
        if self.remaining:
            return "ON_HOLD" if self.holds else "IN_PROGRESS" if self.fulfillment_list else "OPEN"
        return "CLOSED" if self.fulfillment_list else "CANCELLED"

    @property
    def is_closed(self) -> bool:
        """Whether nothing more comes of it."""
        return not self.remaining

    @property
    def supported_actions(self) -> list[SupportedAction]:
        actions = ("REQUEST_CANCELLATION",) if self.is_requested else _ACTIONS.get(self.status, ())
        return [SupportedAction(action) for action in actions]

    @property
    def fulfillment_holds(self) -> list[Hold]:
        return self.holds

    @property
    def assigned_location(self) -> AssignedLocation:
        return AssignedLocation(self.location)

    @property
    def delivery_method(self) -> DeliveryMethod:
        return DeliveryMethod(f"gid://shopify/DeliveryMethod/{self.number}")

    @property
    def fulfill_at(self) -> datetime:
        return self.created_at

    @property
    def order_id(self) -> str:
        return self.order.id

    @property
    def order_name(self) -> str:
        return self.order.name

    @property
    def order_processed_at(self) -> datetime:
        return self.order.processed_at

    def mergeable(self) -> Sequence["FulfillmentOrder"]:
        """The order's others that could be made one with it."""
        return [
            other
            for other in self.order.plans
            if other is not self and other.location is self.location and other.status == self.status == "OPEN"
        ]


@dataclass(frozen=True, slots=True)
class LocationForMove:
    """Where a plan could go."""

    location: Location
    message: str | None

    @property
    def number(self) -> int:
        """The location's."""
        return self.location.number

    @property
    def movable(self) -> bool:
        return self.message is None
