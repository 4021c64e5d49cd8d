"""What every channel should show and the ERP should have, worked out from the world's own books, not from our tables.

The rules of the tenant's files, the books of each location's system of record, the open orders: section by section
the formula of `trueup.domain.quantities`. It shares no SQL with the line, so an error there shows here.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from trueup.configuration.model import Rule, TenantConfiguration
from trueup.domain.quantities import LocationStock, available_to_sell


@dataclass(frozen=True, slots=True)
class WrongListing:
    """A listing that shows something else than it should; `shown` None: not listed though it should be."""

    channel: str
    sku: str
    shown: int
    expected: int


@dataclass(frozen=True, slots=True)
class Verification:
    """All listings of all channels, compared."""

    listing_count: int
    wrong: tuple[WrongListing, ...]

    @property
    def overstated_count(self) -> int:
        """Listings that promise more than there is."""
        return sum(listing.shown > listing.expected for listing in self.wrong)


def verify(truth: Mapping[str, Any], configuration: TenantConfiguration) -> Verification:
    """Compare every listing in `/world/truth` with what the tenant's rules say."""
    books = {(shelf["sku"], shelf["location_id"]): int(shelf["book"] or 0) for shelf in truth["shelves"]}
    reserved: dict[tuple[str, str], int] = defaultdict(int)
    unassigned: dict[tuple[str, str], int] = defaultdict(int)
    for order in truth["orders_open"]:
        for part in order["parts"]:
            if part["location_id"] is None:
                unassigned[part["sku"], order["channel_id"]] += int(part["open"])
            else:
                reserved[part["sku"], part["location_id"]] += int(part["open"])
    wrong: list[WrongListing] = []
    listing_count = 0
    for channel, listings in truth["listings"].items():
        for sku, shown in listings.items():
            listing_count += 1
            category = truth["products"].get(sku, {}).get("category")
            expected = expected_quantity(configuration, channel, sku, category, books, reserved, unassigned)
            if int(shown) != expected:
                wrong.append(WrongListing(channel, sku, int(shown), expected))
    return Verification(listing_count, tuple(wrong))


@dataclass(frozen=True, slots=True)
class OrderVerification:
    """The orders that the ERP shall have, each compared with what its books have; names of those that are wrong.

    Where refunds are credited, what was paid less what went back is compared with the booking less its credits. An
    order that was edited or exchanged is not compared by its money, nor one of which something was given back where
    nobody credits: its booking stays. `waiting`: not booked, since something of it is missing that a person declares.
    """

    order_count: int
    waiting: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    booked_twice: tuple[str, ...] = ()
    unequal: tuple[str, ...] = ()
    still_open: tuple[str, ...] = ()

    @property
    def wrong_count(self) -> int:
        """Orders that stand otherwise in the ERP than where they were taken."""
        return sum(map(len, (self.missing, self.booked_twice, self.unequal, self.still_open)))


def verify_orders(
    documents: Mapping[str, Iterable[Mapping[str, Any]]],
    configuration: TenantConfiguration,
    waiting: Collection[tuple[str, str]],
) -> OrderVerification | None:
    """Compare the systems' `/world/documents`; None where the tenant has no orders booked.

    `waiting`: channel and name of the orders that the line says wait for a person.
    """
    if configuration.orders is None:
        return None
    booked: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for document in documents[configuration.orders.booked_in]:
        if not document["is_cancelled"]:
            booked[document["channel_id"], document["name"]].append(document)
    found: dict[str, list[str]] = defaultdict(list)
    order_count = 0
    for order in (order for system_id in configuration.orders.taken_by for order in documents[system_id]):
        order_count += 1
        name, bookings = f"{order['channel_id']} {order['name']}", booked[order["channel_id"], order["name"]]
        if order["is_cancelled"]:
            if bookings:
                found["still_open"].append(name)
        elif not bookings:
            found["waiting" if (order["channel_id"], order["name"]) in waiting else "missing"].append(name)
        elif len(bookings) > 1:
            found["booked_twice"].append(name)
        elif not _is_equal(order, bookings[0], is_credited=configuration.returns is not None):
            found["unequal"].append(name)
    return OrderVerification(order_count, **{kind: tuple(names) for kind, names in found.items()})


def _is_equal(order: Mapping[str, Any], booking: Mapping[str, Any], *, is_credited: bool) -> bool:
    if is_credited and order["kept_amount"] is not None:
        kept = Decimal(str(order["kept_amount"])), order["currency"]
        return kept == (Decimal(str(booking["kept_amount"])), booking["currency"])
    return order["is_changed"] or _money(booking) == _money(order)


@dataclass(frozen=True, slots=True)
class ParcelVerification:
    """The units that left for each order, compared with what its customer was told; names of orders that are wrong.

    `waiting`: of these the line says that something is missing.
    """

    unit_count: int
    waiting: tuple[str, ...] = ()
    unreported: tuple[str, ...] = ()
    overreported: tuple[str, ...] = ()

    @property
    def wrong_count(self) -> int:
        """Orders whose customers were told something else than what left."""
        return len(self.unreported) + len(self.overreported)


def verify_parcels(
    truth: Mapping[str, Any],
    documents: Mapping[str, Iterable[Mapping[str, Any]]],
    configuration: TenantConfiguration,
    waiting: Collection[tuple[str, str]],
) -> ParcelVerification | None:
    """Compare `/world/truth` with the shops' `/world/documents`; None where the tenant has no channel told of parcels.

    `waiting`: channel and name of the orders of which the line says what a parcel waits for.
    """
    if configuration.fulfilment is None:
        return None
    channels = configuration.fulfilment.channels
    reported = {
        (document["channel_id"], document["name"]): document["reported_units"]
        for channel in channels
        for document in documents[configuration.channels[channel].system]
    }
    found: dict[str, list[str]] = defaultdict(list)
    unit_count = 0
    for each in truth["shipped"]:
        key = each["channel_id"], each["order"]
        if each["channel_id"] not in channels:
            continue
        unit_count += each["units"]
        units = reported.get(key, 0)
        if units > each["units"]:
            found["overreported"].append(" ".join(key))
        elif units < each["units"]:
            found["waiting" if key in waiting else "unreported"].append(" ".join(key))
    return ParcelVerification(unit_count, **{kind: tuple(names) for kind, names in found.items()})


def _money(document: Mapping[str, Any]) -> tuple[Decimal, str]:
    return Decimal(str(document["total"])), document["currency"]


def expected_quantity(
    configuration: TenantConfiguration,
    channel: str,
    sku: str,
    category: str | None,
    books: Mapping[tuple[str, str], int],
    reserved: Mapping[tuple[str, str], int],
    unassigned: Mapping[tuple[str, str], int],
) -> int:
    """What the channel should show for one SKU: design section 6, in whole units."""
    declaration = configuration.channels[channel]
    rules = list(_most_specific_first(declaration.rules, sku, category, configuration.default_rule))
    safety_stock = int(_term(rules, "safety_stock") or 0)
    stocks = [
        LocationStock(
            on_hand=books.get((sku, location), 0),
            damaged=0,
            quality_control=0,
            reserved=reserved.get((sku, location), 0),
            safety_stock=safety_stock,
        )
        for location in declaration.served_by
    ]
    pending = sum(
        units
        for (ordered, from_channel), units in unassigned.items()
        if ordered == sku and set(configuration.channels[from_channel].served_by) & set(declaration.served_by)
    )
    return available_to_sell(
        stocks,
        unassigned_reserved=pending,
        buffer=int(_term(rules, "buffer") or 0),
        share=Decimal(_term(rules, "share") or 0),
        cap=_term(rules, "cap"),
    )


def _most_specific_first(rules: Iterable[Rule], sku: str, category: str | None, default: Rule) -> Iterable[Rule]:
    declared = list(rules)
    yield from (rule for rule in declared if rule.sku == sku)
    yield from (rule for rule in declared if rule.category is not None and rule.category == category)
    yield from (rule for rule in declared if rule.sku is None and rule.category is None)
    yield default


def _term(rules: Iterable[Rule], name: str) -> Any:  # noqa: ANN401 - a quantity or a share
    return next((value for rule in rules if (value := getattr(rule, name)) is not None), None)
