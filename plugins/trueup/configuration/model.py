"""What a retailer declares under `tenants/<tenant>/`: which systems, owners, rules and limits.

Never *how*: code decides that. Unknown keys are refused, so a misspelt one cannot be ignored.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
LocationId = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9-]{0,39}$")]
# As many as a source may say: what is more is no number of units, and no column of the registry takes it.
Units = Annotated[int, Field(ge=0, le=1_000_000_000)]
Minutes = Annotated[int, Field(ge=1, le=129_600)]
# What Airflow takes for a tag and for an owner.
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
OptionText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255)]
Share = Annotated[Decimal, Field(ge=0, le=1, max_digits=5, decimal_places=4)]


class QuantityMeaning(StrEnum):
    """What a system's number stands for."""

    ON_HAND = "on_hand"
    AVAILABLE = "available"


class SystemRole(StrEnum):
    """What a system is to the retailer."""

    ERP = "erp"
    WAREHOUSE = "warehouse"
    TILLS = "tills"
    SHOP = "shop"


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SystemDeclaration(_Declared):
    """One system: which connector speaks to it and how often it is asked.

    `connection` is the id of an Airflow connection; credentials never stand in YAML. Polls are at least daily, sweeps
    weekly: rarer, and a stream is not kept true.
    `clock_uncertainty_seconds`: how much later than `as_of` the system's answer may really have been
    taken. Stock that came in within it is not added again: understating is safe, overstating is not.
    `options`: what the connector's writers have to be told of the account, such as the item that shipping is booked on;
    the system's page lists them.
    """

    connector: Identifier
    connection: Identifier
    role: SystemRole
    quantity_means: QuantityMeaning = QuantityMeaning.ON_HAND
    reserves_on_order: bool = False
    poll_every_seconds: Annotated[int, Field(ge=5, le=86_400)] = 60
    sweep_every_minutes: Annotated[int, Field(ge=1, le=7 * 1440)] = 60
    clock_uncertainty_seconds: Units = 5
    streams: tuple[Identifier, ...]
    options: dict[Identifier, OptionText] = {}


class LocationDeclaration(_Declared):
    """A location with stock, its system of record, and its id in that system."""

    name: str
    system_of_record: Identifier
    source_location_id: str


class Rule(_Declared):
    """Terms of the available-to-sell formula. At most one of `category` and `sku`; None: not said here."""

    category: str | None = None
    sku: str | None = None
    safety_stock: Units | None = None
    buffer: Units | None = None
    share: Share | None = None
    cap: Units | None = None


class Guards(_Declared):
    """The most one run may push to a channel without a person.

    `largest_share` of the channel's listings, `largest_jump` in units for one listing,
    `canary_share` of a run that is sent and read back before the rest.
    """

    largest_share: Share = Decimal("0.30")
    largest_share_applies_from: Units = 20
    largest_jump: Units = 1000
    canary_share: Share = Decimal("0.02")
    attempts: Annotated[int, Field(ge=1)] = 5


class ChannelDeclaration(_Declared):
    """Where goods are offered. `listing_location` is the record's location in the channel's own ids."""

    system: Identifier
    shows: QuantityMeaning = QuantityMeaning.AVAILABLE
    listing_location: str
    served_by: tuple[LocationId, ...]
    is_enabled: bool = True
    rules: tuple[Rule, ...] = ()
    guards: Guards = Guards()


class Branding(_Declared):
    """Under whose name operations and alerts appear."""

    display_name: Title
    partner_name: str | None = None
    support_contact: str | None = None


class NonStockCode(_Declared):
    """Codes on orders that are not goods. `pattern`: a whole-code, case-insensitive regular expression."""

    pattern: str
    classification: Literal["postage", "fee", "discount", "adjustment", "gift_voucher", "sample", "donation", "other"]


class OrderGuards(_Declared):
    """The most one run may book without a person, in whole units of each order's currency.

    `largest_order`: one order's total, `largest_run`: all totals of a run; `attempts` before it is an exception.
    """

    largest_order: Units = 10_000
    largest_run: Units = 250_000
    attempts: Annotated[int, Field(ge=1)] = 5


class OrderBooking(_Declared):
    """Which orders are booked in the ERP, and by whom.

    `booked_in`: the ERP among the systems; `taken_by`: the systems whose orders it shall have. `booked_by`: `trueup`,
    or the name of the integration that books them: Trueup watches that one, and books what it left for
    `grace_minutes`. `waits_for_payment`: whether an order without any money, promised or taken, waits.
    """

    booked_in: Identifier
    taken_by: Annotated[tuple[Identifier, ...], Field(min_length=1)]
    booked_by: Identifier = "trueup"
    grace_minutes: Annotated[int, Field(ge=0, le=10_080)] = 0
    waits_for_payment: bool = True
    guards: OrderGuards = OrderGuards()


class ReturnGuards(_Declared):
    """The most one run may credit or refund without a person, in whole units of each order's currency.

    `largest_refund`: one refund, `largest_run`: all of a run; `attempts` before it is an exception.
    """

    largest_refund: Units = 1_000
    largest_run: Units = 25_000
    attempts: Annotated[int, Field(ge=1)] = 5


class ReturnHandling(_Declared):
    """Which refunds are credited in the ERP, who refunds what came back, and how long each leg may take.

    `credited_in`: the ERP among the systems; `taken_by`: the systems whose orders it credits. `credited_by`,
    `refunded_by`: `trueup`, or the name of who does it: Trueup watches, and does what that one left for the minutes
    of grace; a credit waits as long for its goods to be received. `refund_approvals`: how many people agree before
    money goes back. `received_within_days`: how long goods may be on their way after their refund;
    `restocked_within_hours`: how long until they are on a shelf.
    """

    credited_in: Identifier
    taken_by: Annotated[tuple[Identifier, ...], Field(min_length=1)]
    credited_by: Identifier = "trueup"
    credit_grace_minutes: Annotated[int, Field(ge=0, le=10_080)] = 0
    refunded_by: Identifier = "trueup"
    refund_grace_minutes: Annotated[int, Field(ge=0, le=43_200)] = 0
    refund_approvals: Annotated[int, Field(ge=0, le=2)] = 2
    received_within_days: Annotated[int, Field(ge=1, le=365)] = 30
    restocked_within_hours: Annotated[int, Field(ge=1, le=720)] = 48
    guards: ReturnGuards = ReturnGuards()


class FulfilmentGuards(_Declared):
    """The most one run may report without a person, in units.

    `largest_parcel`: of one parcel, `largest_run`: of all parcels to one channel; `attempts` before it is an exception.
    """

    largest_parcel: Units = 1_000
    largest_run: Units = 20_000
    attempts: Annotated[int, Field(ge=1)] = 5


class StuckAfter(_Declared):
    """Minutes after which something counts as stuck.

    `shipping`: from the order until all of it has left. `recording`: from what a channel was told until the location's
    own record of it has come. `delivering`: from the location to the customer, where the warehouse tells of it.
    """

    shipping: Minutes = 2 * 1440
    recording: Minutes = 120
    delivering: Minutes = 10 * 1440


class ConfirmedChannel(_Declared):
    """A channel that is told what left. `locations`: ours, in the channel's ids; else its listing location."""

    locations: dict[LocationId, OptionText] = {}


class FulfilmentConfirmation(_Declared):
    """Which channels are told of parcels, and by whom.

    `confirmed_by`: `trueup`, or the name of the integration that tells them: Trueup watches that one, and tells what it
    left for `grace_minutes`. `waits_for_tracking`: whether a parcel without a tracking number waits for one.
    `notifies_customers`: whether the channel writes to the customer.
    """

    channels: Annotated[dict[Identifier, ConfirmedChannel], Field(min_length=1)]
    confirmed_by: Identifier = "trueup"
    grace_minutes: Annotated[int, Field(ge=0, le=10_080)] = 0
    waits_for_tracking: bool = True
    notifies_customers: bool = True
    stuck_after_minutes: StuckAfter = StuckAfter()
    guards: FulfilmentGuards = FulfilmentGuards()


class ServiceLevels(_Declared):
    """What operations are promised, in seconds and shares."""

    stock_freshness_seconds: Units = 900
    correction_seconds: Units = 900

    @property
    def freshness_seconds(self) -> int:
        """Seconds after which a stream that nobody read whole counts as late: one promise for every kind of record."""
        return self.stock_freshness_seconds


FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")]
"""`entity.field`, such as `price.amount`."""

COMPUTED_HERE = "trueup"
"""The owner of what is computed here from several owners' facts."""

OF_ORIGIN = "origin"
"""The owner of a record is the system that it came from, such as an order's channel."""


# Each has a file of its own, and a field of this name.
_OPTIONAL_WORKFLOWS: Final = ("orders", "fulfilment", "returns")


class TenantConfiguration(_Declared):
    """Everything one retailer declares, from the files of one folder."""

    tenant: Identifier
    branding: Branding
    owner: Title
    warehouse_connection: Identifier
    systems: Annotated[dict[Identifier, SystemDeclaration], Field(min_length=1)]
    locations: dict[LocationId, LocationDeclaration]
    channels: dict[Identifier, ChannelDeclaration]
    default_rule: Rule = Rule(safety_stock=0, buffer=0, share=Decimal(1))
    non_stock_codes: tuple[NonStockCode, ...] = ()
    service_levels: ServiceLevels = ServiceLevels()
    sku_aliases: dict[Identifier, dict[str, str]] = {}
    ownership: dict[FieldName, Identifier] = {}
    orders: OrderBooking | None = None
    returns: ReturnHandling | None = None
    fulfilment: FulfilmentConfirmation | None = None

    @property
    def undeclared_workflows(self) -> frozenset[str]:
        """The workflows that the retailer has no file of: nothing of them is built, validated or written."""
        return frozenset(name for name in _OPTIONAL_WORKFLOWS if getattr(self, name) is None)
