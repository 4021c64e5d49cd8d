"""Reports parcels to a BigCommerce store: `fulfilment.create` by a shipment of the order, one call a parcel.

BigCommerce takes no idempotency key here. Ours stands in the shipment's comments, with the location that the parcel
left and the numbers beyond the one that a shipment can have; the store's staff see it, and so do customers where the
store prints comments. Before anything is sent the order's shipments are read: one under our id is not reported again,
nor is one that somebody else reported with the same units and numbers (without a number: of the same units, unless
the store had it more than an hour before this one left).

The window that remains: from that reading to the call, one round trip, typically 0.1 to 1 s, another program may
report the same parcel; and an answer that is lost while BigCommerce still writes may be looked up too early (the
first look-up is at once, the next after 2 seconds, and only a parcel that neither shows is sent again). Within it
units can be reported twice only where the line has as many left to send once more: BigCommerce refuses more.

Whether the customer is written to, the store's own settings say: a shipment cannot be kept quiet.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from trueup.configuration.model import ChannelDeclaration
from trueup.connectors.bigcommerce.orders import SYSTEM, Remark, lines_of, parcels_of, time_of
from trueup.connectors.bigcommerce.reader import ask_locations, connect_client
from trueup.connectors.bigcommerce.writers.answers import REFUSED, refused
from trueup.connectors.bigcommerce.writers.carriers import followed_carrier
from trueup.connectors.document_fields import BadDocument, answered
from trueup.connectors.http.answers import Unconfirmed
from trueup.connectors.http.client import HttpClient
from trueup.connectors.one_by_one import Found, OneByOneWriter
from trueup.connectors.parcel_documents import KnownParcel, Parcel, candidates, has_part, is_same, parcel_of
from trueup.connectors.reading import moment_or_none, started_at, within
from trueup.connectors.state import SharedState
from trueup.domain.changes import Change, Outcome, Receipt
from trueup.domain.connections import ConnectionDetails
from trueup.domain.values import Document

_LONGEST_NUMBER: Final = 50
_LONGEST_LINK: Final = 500


def connect(details: ConnectionDetails, state: SharedState, _channel: ChannelDeclaration) -> OneByOneWriter:
    """Build what reports parcels to the store; no I/O."""
    return OneByOneWriter(FulfilmentClerk(connect_client(details, state)))


@dataclass(frozen=True, slots=True)
class _OrderLine:
    """A line of the store's order. `address` 0: it is posted nowhere."""

    line_ref: str
    address: int
    open_quantity: int


class NotSendable(Exception):
    """The order's lines do not have the units; the message names why. `is_final`: waiting does not help."""

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final


class FulfilmentClerk:
    """Looks parcels up and reports them."""

    capability = "fulfilment.create"

    def __init__(self, client: HttpClient) -> None:
        self.client = client

    def close(self) -> None:
        """Close the connections to the store."""
        self.client.close()

    def check(self, change: Change) -> None:
        _parcel(change)

    def look_up(self, change: Change, *, to_send: bool) -> Found:
        parcel = _parcel(change)
        moment = started_at(self.client, lambda: ask_locations(self.client, 1))
        # Lines before parcels: what is reported between the two is then seen among the parcels.
        lines = self._lines(parcel) if to_send else None
        return Found(self._same(change, parcel), moment, lines)

    def send(self, change: Change, found: Found) -> Receipt:
        parcel = _parcel(change)
        if not found.content:
            return Receipt(change.key, Outcome.REJECTED, None, f"the store has no order {parcel.order_ref}")
        try:
            items = _items(parcel, found.content)
        except NotSendable as refusal:
            outcome = Outcome.REJECTED if refusal.is_final else Outcome.CONFLICT
            return Receipt(change.key, outcome, None, str(refusal))
        body = _body(change, parcel, items)
        path = f"/v2/orders/{parcel.order_ref}/shipments"
        answer = self.client.request("POST", path, json=body, accept=REFUSED)
        if answer.status not in REFUSED:
            if not isinstance(within(answer.body, "id"), int):
                raise Unconfirmed(f"{SYSTEM}: a shipment was answered without its id; read back what became of it")
            return Receipt(change.key, Outcome.APPLIED, answer.status, "reported")
        try:
            has_changed = _items(parcel, self._lines(parcel)) != items
        except NotSendable as refusal:
            return Receipt(change.key, Outcome.CONFLICT, answer.status, f"it changed meanwhile: {refusal}")
        receipt = refused(self.client, change, answer, "parcel")
        return Receipt(change.key, Outcome.CONFLICT, answer.status, receipt.detail) if has_changed else receipt

    def _lines(self, parcel: Parcel) -> list[_OrderLine]:
        return [_order_line(line) for line in lines_of(self.client, int(parcel.order_ref))]

    def _same(self, change: Change, parcel: Parcel) -> Document | None:
        """Return what the store has of this parcel: the document itself where it is the same."""
        others: dict[str, tuple[KnownParcel, Mapping[str, int]]] = {}
        for shipment in parcels_of(self.client, int(parcel.order_ref)):
            known, lines = _known(shipment)
            remark = Remark.read(within(shipment, "comments"))
            if remark is None:
                others[known.fulfilment_ref] = known, lines
            elif remark.record_ref == change.record_ref:
                return _document(change, parcel, known, lines)
        found: Document | None = None
        for each in candidates(parcel, [known for known, _ in others.values()]):
            lines = others[each.fulfilment_ref][1]
            if is_same(parcel, each, lines) or has_part(parcel, lines):
                found = _document(change, parcel, each, lines)
                if found == change.desired:
                    return found
        return found


def _parcel(change: Change) -> Parcel:
    if not isinstance(change.desired, Document):
        raise BadDocument(f"a parcel is a document, not {change.desired}")
    parcel = parcel_of(change.desired.content)
    for ref in (parcel.order_ref, *parcel.lines, *(each for refs in parcel.instead.values() for each in refs)):
        if not ref.isdecimal():
            raise BadDocument(f"'{ref}' is no id of {SYSTEM}'s: those are whole numbers")
    for number in parcel.tracking_numbers:
        if len(number) > _LONGEST_NUMBER or ";" in number:
            raise BadDocument(
                f"{SYSTEM} takes tracking numbers of {_LONGEST_NUMBER} letters and no ';', not '{number}'"
            )
    if any(len(url) > _LONGEST_LINK for url in parcel.tracking_urls):
        raise BadDocument(f"{SYSTEM} takes addresses of {_LONGEST_LINK} letters; give a shorter one")
    return parcel


def _order_line(line: object) -> _OrderLine:
    numbers = {
        name: answered(SYSTEM, within(line, name), int, f"a line's {name}")
        for name in ("id", "order_address_id", "quantity")
    }
    gone = sum(_count(within(line, name)) for name in ("quantity_shipped", "quantity_refunded"))
    return _OrderLine(str(numbers["id"]), numbers["order_address_id"], max(0, numbers["quantity"] - gone))


def _count(value: object) -> int:
    """Return whole units; the contract calls them a number and lets them out of a line that has none."""
    return int(value) if isinstance(value, int | float) else 0


def _items(parcel: Parcel, lines: Sequence[_OrderLine]) -> list[dict[str, Any]]:
    """Take each line's units from the order, by the line's id; of lines that may stand for one another, what is open.

    Raises `NotSendable` where the order does not have them all: all of a parcel is reported, or nothing.
    """
    known = {line.line_ref: line for line in lines}
    remaining = {line.line_ref: line.open_quantity for line in lines}
    taken: dict[str, int] = {}
    for line_ref, quantity in parcel.lines.items():
        if line_ref not in known:
            raise NotSendable(f"order {parcel.order_ref} has no line {line_ref}", is_final=True)
        left = quantity
        for wanted in (line_ref, *parcel.instead.get(line_ref, ())):
            units = min(left, remaining.get(wanted, 0))
            if units > 0:
                taken[wanted] = taken.get(wanted, 0) + units
                remaining[wanted] -= units
                left -= units
        if left:
            raise NotSendable(
                f"{quantity} units of line {line_ref} left and {quantity - left} are open: the others are shipped or"
                " refunded there"
            )
    addresses = {known[line_ref].address for line_ref in taken}
    if len(addresses) > 1:
        raise NotSendable(
            f"a shipment goes to one address, and the parcel's lines go to {len(addresses)}; report them by hand",
            is_final=True,
        )
    if 0 in addresses:
        raise NotSendable("the parcel's lines go to no address: they are picked up or downloaded", is_final=True)
    return [
        {"order_address_id": known[line_ref].address, "order_product_id": int(line_ref), "quantity": quantity}
        for line_ref, quantity in sorted(taken.items())
    ]


def _body(change: Change, parcel: Parcel, items: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    remark = Remark(change.record_ref, parcel.location_ref, parcel.tracking_numbers[1:])
    body: dict[str, Any] = {
        "order_address_id": items[0]["order_address_id"],
        # Left out, it becomes "custom", and no link is made of the number.
        "shipping_provider": "",
        "tracking_carrier": followed_carrier(parcel.carrier),
        "comments": remark.text(),
        "items": [{name: each[name] for name in ("order_product_id", "quantity")} for each in items],
    }
    if parcel.carrier is not None:
        body["shipping_method"] = parcel.carrier
    if parcel.tracking_numbers:
        body["tracking_number"] = parcel.tracking_numbers[0]
    if parcel.tracking_urls:
        body["tracking_link"] = parcel.tracking_urls[0]
    return body


def _known(shipment: object) -> tuple[KnownParcel, Mapping[str, int]]:
    """Read a shipment: what it is known by, and its units by line."""
    lines: dict[str, int] = {}
    for item in answered(SYSTEM, within(shipment, "items"), list, "a shipment's items"):
        line_ref = str(answered(SYSTEM, within(item, "order_product_id"), int, "a shipment's line"))
        lines[line_ref] = lines.get(line_ref, 0) + answered(SYSTEM, within(item, "quantity"), int, "a shipment's units")
    remark = Remark.read(within(shipment, "comments"))
    number = within(shipment, "tracking_number")
    numbers = {str(number)} if number else set()
    known = KnownParcel(
        fulfilment_ref=str(answered(SYSTEM, within(shipment, "id"), int, "a shipment's id")),
        status="SHIPPED",
        location_ref=None if remark is None else remark.location_ref,
        created_at=moment_or_none(time_of(within(shipment, "date_created"))),
        unit_count=sum(lines.values()),
        tracking_numbers=frozenset(numbers.union(() if remark is None else remark.further_numbers)),
    )
    return known, lines


def _document(change: Change, parcel: Parcel, known: KnownParcel, lines: Mapping[str, int]) -> Document:
    """Return the change's document where the shipment is what it says, else what the shipment is."""
    if is_same(parcel, known, lines) and isinstance(change.desired, Document):
        return change.desired
    found = [{"line_ref": line, "quantity": lines[line]} for line in sorted(lines)]
    return Document.of(
        {"fulfilment_ref": known.fulfilment_ref, "lines": found, "tracking_numbers": sorted(known.tracking_numbers)}
    )
