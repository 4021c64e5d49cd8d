"""An order as the store has it now."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from trueup.sandbox.vendors.shopify.buyers import Address, Customer
from trueup.sandbox.vendors.shopify.fulfilments import Fulfillment, FulfillmentOrder
from trueup.sandbox.vendors.shopify.money_objects import DiscountApplication, DutyLine, ShippingLine
from trueup.sandbox.vendors.shopify.objects import Location, Record
from trueup.sandbox.vendors.shopify.order_lines import Line
from trueup.sandbox.vendors.shopify.payments import Transaction
from trueup.sandbox.vendors.shopify.refunds import Refund
from trueup.sandbox.vendors.shopify.returns import Return
from trueup.sandbox.vendors.shopify.totals import Totals
from trueup.sandbox.vendors.simulator import OrderDocument
from trueup.sandbox.world.money import Currencies
from trueup.sandbox.world.order_money import DiscountKind, OrderMoney


@dataclass(frozen=True, slots=True)
class Named:
    """An app, a channel or a publication: a name is all that is told of it."""

    kind: str
    name: str
    title: ClassVar[str] = "Online Store"

    @property
    def id(self) -> str:
        return f"gid://shopify/{self.kind}/1"


@dataclass(frozen=True, slots=True)
class RiskFact:
    """What speaks for or against an order."""

    description: str
    sentiment: str


@dataclass(frozen=True, slots=True)
class RiskAssessment:
    """What one app thinks of an order."""

    facts: tuple[RiskFact, ...]
    risk_level: str
    provider: ClassVar[None] = None


@dataclass(frozen=True, slots=True)
class Risk:
    """What all apps think of it."""

    assessments: tuple[RiskAssessment, ...]


@dataclass(frozen=True, slots=True)
class Cancellation:
    """What staff wrote about it."""

    staff_note: str | None


_UNSUSPICIOUS = Risk((RiskAssessment((RiskFact("The address of the card is the buyer's", "POSITIVE"),), "LOW"),))


@dataclass(slots=True)
class ShopOrder(Record):
    """An order as it is now. `money`: what was agreed when it was placed. `plans`: its fulfilment orders."""

    kind: ClassVar[str] = "Order"
    name: str
    created_at: datetime
    updated_at: datetime
    currency_code: str
    lines: dict[str, Line]
    money: OrderMoney
    customer: Customer
    shipping_lines: list[ShippingLine] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)
    plans: list[FulfillmentOrder] = field(default_factory=list)
    cancelled_at: datetime | None = None
    cancel_reason: str | None = None
    staff_note: str | None = None
    closed_at: datetime | None = None
    edited: bool = False
    fulfillment_list: list[Fulfillment] = field(default_factory=list)
    refund_list: list[Refund] = field(default_factory=list)
    return_list: list[Return] = field(default_factory=list)
    test: bool = False
    app: ClassVar[Named] = Named("App", "Online Store")
    channel: ClassVar[Named] = Named("Channel", "Online Store")
    publication: ClassVar[Named] = Named("Publication", "Online Store")
    source_name: ClassVar[str] = "web"
    risk: ClassVar[Risk] = _UNSUSPICIOUS
    confirmed: ClassVar[bool] = True
    tax_exempt: ClassVar[bool] = False
    estimated_taxes: ClassVar[bool] = False
    duties_included: ClassVar[bool] = False
    billing_address_matches_shipping_address: ClassVar[bool] = True
    custom_attributes: ClassVar[tuple[object, ...]] = ()
    tags: ClassVar[tuple[str, ...]] = ()
    note: ClassVar[str | None] = None
    po_number: ClassVar[str | None] = None
    source_identifier: ClassVar[str | None] = None
    payment_terms: ClassVar[None] = None
    retail_location: ClassVar[Location | None] = None
    total_weight: ClassVar[str] = "0"

    @property
    def totals(self) -> Totals:
        """Its sums."""
        return Totals(self)

    def document(self, channel_id: str) -> OrderDocument:
        """What others compare of it, in the shop's currency."""
        return OrderDocument(
            channel_id,
            self.name,
            self.currency_code,
            Decimal(self.totals.current_total_price_set.shop) / 100,
            is_cancelled=self.cancelled_at is not None,
            is_changed=self.edited or bool(self.refund_list) or bool(self.return_list),
            kept_amount=self._kept_amount(),
            reported_units=sum(parcel.total_quantity for parcel in self.fulfillment_list if parcel.status == "SUCCESS"),
        )

    def _kept_amount(self) -> Decimal | None:
        if self.edited or any(each.exchanges for each in self.return_list):
            return None
        return Decimal(self.totals.original_total_price_set.shop - self.totals.total_refunded_set.shop) / 100

    @property
    def currencies(self) -> Currencies:
        """The shop's and the customer's."""
        return self.money.currencies

    @property
    def presentment_currency_code(self) -> str:
        return self.money.currencies.presented

    @property
    def taxes_included(self) -> bool:
        return self.money.are_taxes_included

    @property
    def number_shown(self) -> int:
        """The digits of its name: what people call it by."""
        return int("".join(filter(str.isdigit, self.name)) or 0)

    @property
    def processed_at(self) -> datetime:
        return self.created_at

    @property
    def closed(self) -> bool:
        return self.closed_at is not None

    # -- who -----------------------------------------------------------------------------------------------------

    @property
    def email(self) -> str:
        return self.customer.email

    @property
    def phone(self) -> str:
        return self.customer.default_phone_number.phone_number

    @property
    def purchasing_entity(self) -> Customer:
        return self.customer

    @property
    def shipping_address(self) -> Address:
        return self.customer.default_address

    @property
    def billing_address(self) -> Address:
        return self.customer.default_address

    @property
    def display_address(self) -> Address:
        return self.customer.default_address

    # -- lines ---------------------------------------------------------------------------------------------------

    @property
    def duties(self) -> list[DutyLine]:
        """Of all its lines."""
        return [duty for line in self.lines.values() for duty in line.duties]

    @property
    def shipping_line(self) -> ShippingLine | None:
        return self.shipping_lines[0] if self.shipping_lines else None

    @property
    def requires_shipping(self) -> bool:
        return any(line.requires_shipping for line in self.lines.values())

    @property
    def restockable(self) -> bool:
        return any(line.restockable for line in self.lines.values())

    @property
    def subtotal_line_items_quantity(self) -> int:
        return sum(line.quantity for line in self._counted())

    @property
    def current_subtotal_line_items_quantity(self) -> int:
        return sum(line.current_quantity for line in self._counted())

    def _counted(self) -> Iterable[Line]:
        return (line for line in self.lines.values() if not line.is_tip)

    @property
    def applications(self) -> list[DiscountApplication]:
        """Its discounts as the customer got them."""
        return [DiscountApplication(rule, index, self.currencies) for index, rule in enumerate(self.money.rules)]

    @property
    def discount_codes(self) -> list[str]:
        return [rule.name for rule in self.money.rules if rule.kind is DiscountKind.CODE]

    @property
    def discount_code(self) -> str | None:
        return next(iter(self.discount_codes), None)

    # -- states --------------------------------------------------------------------------------------------------

    @property
    def cancellation(self) -> Cancellation | None:
        return None if self.cancelled_at is None else Cancellation(self.staff_note)

    @property
    def payment_gateway_names(self) -> list[str]:
        return list(dict.fromkeys(each.gateway for each in self.transactions if each.status != "FAILURE"))

    @property
    def capturable(self) -> bool:
        return bool(self.totals.total_capturable_set)

    @property
    def refundable(self) -> bool:
        return any(each.refundable for each in self.transactions)

    @property
    def unpaid(self) -> bool:
        return not self.totals.total_received_set and bool(self.money.total)

    @property
    def fully_paid(self) -> bool:
        return not self.unpaid and self.totals.total_outstanding_set.presented <= 0

    @property
    def can_mark_as_paid(self) -> bool:
        return self.cancelled_at is None and self.totals.total_outstanding_set.presented > 0

    @property
    def display_financial_status(self) -> str:
        totals = self.totals
        if totals.total_refunded_set:
            return "PARTIALLY_REFUNDED" if totals.net_payment_set.presented > 0 else "REFUNDED"
        if not self.unpaid:
            return "PAID" if self.fully_paid else "PARTIALLY_PAID"
        if any(each.status == "PENDING" for each in self.transactions):
            return "PENDING"
        if totals.total_capturable_set:
            return "AUTHORIZED"
        return "VOIDED" if any(each.action == "VOID" for each in self.transactions) else "PENDING"

    @property
    def display_fulfillment_status(self) -> str:
        goods = [line for line in self.lines.values() if line.requires_shipping]
        if not any(line.fulfilled for line in goods):
            is_held = any(plan.status == "ON_HOLD" for plan in self.plans)
            return "ON_HOLD" if is_held else "UNFULFILLED"
        return "PARTIALLY_FULFILLED" if any(line.unfulfilled_quantity for line in goods) else "FULFILLED"

    @property
    def return_status(self) -> str:
        if not self.return_list:
            return "NO_RETURN"
        return "IN_PROGRESS" if any(each.status == "OPEN" for each in self.return_list) else "RETURNED"
