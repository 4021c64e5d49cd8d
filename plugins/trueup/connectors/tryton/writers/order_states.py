"""Cancels and closes orders in Tryton.

A draft, a quotation or a confirmed sale is cancelled as such. One that is processed cannot be (trytond, module `sale`:
`_transitions`): an amendment (module `sale_amendment`) takes its lines down, to nothing where nothing has left, and to
what has left where something has. Then the rest is neither sent nor invoiced. A sale is known by its web id, whoever
booked it.

An amendment reaches no shipment that somebody is preparing (assigned, picked or packed), so such a sale is refused by
name. What remains open: a shipment that is begun or done between our look-up and the amendment, a round trip or two,
typically 0.2 to 1 s. What has left by then stays shipped, Tryton expects it back, and the sale reads otherwise than
wanted.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from trueup.configuration.model import SystemDeclaration
from trueup.connectors.base import Observation
from trueup.connectors.fence import CallReceipts
from trueup.connectors.http.answers import Answer, Unconfirmed
from trueup.connectors.http.client import Resend
from trueup.connectors.state import SharedState
from trueup.connectors.tryton import rest
from trueup.connectors.tryton.booked_sales import MODEL, BookedSales, FoundLine, FoundSale
from trueup.connectors.tryton.company import SYSTEM, Company, company_number, connect_models
from trueup.domain.changes import Change, Operation, Outcome, Receipt
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient
from trueup.domain.values import State

AMENDMENTS: Final = "sale.amendment"
REASON: Final = "Trueup: cancelled where it was taken"
"""What stands on our amendments: one that a killed process left as a draft is known by it."""
_REACHABLE: Final = ("cancelled", "closed")
_WAYS: Final[Mapping[str, tuple[str, ...]]] = {
    "draft": ("cancel",),
    "quotation": ("cancel",),
    "confirmed": ("draft", "cancel"),
}


class _Refused(Exception):
    """Tryton, or what is known of it, refuses; the message is for a person."""


def connect(details: ConnectionDetails, state: SharedState, _declaration: SystemDeclaration) -> "OrderStateWriter":
    """Build the writer of the states of one company's sales; no I/O."""
    models = connect_models(details, state)
    return OrderStateWriter(models, Company(models, company_number(details)))


class OrderStateWriter:
    """Cancels and amends sales."""

    batch_size = 25

    def __init__(self, models: rest.Models, company: Company) -> None:
        self._models = models
        self._company = company
        self._sales = BookedSales(models, company)

    def close(self) -> None:
        """Close the connections to Tryton."""
        self._models.client.close()

    def apply(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        receipts = CallReceipts(changes)
        for change in receipts.open():
            is_known = isinstance(change.desired, State) and str(change.desired) in _REACHABLE
            if change.operation is not Operation.TRANSITION or not is_known:
                receipts.record(change, Outcome.REJECTED, f"{SYSTEM} orders are moved to {' or '.join(_REACHABLE)}")
        try:
            self._move(receipts)
        except Transient as error:
            receipts.record_open(Outcome.RETRY, f"not sent, it could not be looked up: {error}")
        return receipts.in_order()

    def observe(self, changes: Sequence[Change]) -> Mapping[str, Observation]:
        found = self._sales.find({change.record_ref for change in changes}, ())
        if not found.is_whole:
            return {}
        shown = {change.key: found.named(change.record_ref) for change in changes}
        return {
            change.key: Observation(
                change.record_ref, None if (sale := shown[change.key]) is None else State(sale.state), found.as_of
            )
            for change in changes
        }

    def _move(self, receipts: CallReceipts) -> None:
        waiting = receipts.open()
        if not waiting:
            return
        found = self._sales.find({change.record_ref for change in waiting}, ())
        if not found.is_whole:
            receipts.record_open(Outcome.RETRY, "not sent, what is booked could not be read")
            return
        for change in waiting:
            self._close(receipts, change, found.named(change.record_ref))

    def _close(self, receipts: CallReceipts, change: Change, sale: FoundSale | None) -> None:
        if sale is None:
            receipts.record(change, Outcome.CONFLICT, f"{SYSTEM} has no sale {change.record_ref}")
        elif sale.state == str(change.desired):
            receipts.record(change, Outcome.ALREADY_APPLIED, f"{sale.title} is {sale.state} already")
        elif change.expected is not None and sale.state != str(change.expected):
            receipts.record(change, Outcome.CONFLICT, f"{sale.title} is {sale.state}, expected was {change.expected}")
        elif (str(change.desired) == "cancelled") is sale.is_shipped:
            instead = "close the rest of it instead" if sale.is_shipped else "cancel it instead"
            shipped = "something" if sale.is_shipped else "nothing"
            receipts.record(change, Outcome.REJECTED, f"of {sale.title} {shipped} has left; {instead}")
        else:
            self._send(receipts, change, sale)

    def _send(self, receipts: CallReceipts, change: Change, sale: FoundSale) -> None:
        try:
            if sale.raw_state in _WAYS:
                for action in _WAYS[sale.raw_state]:
                    self._asked("POST", f"{MODEL}/{sale.number}/{action}", {})
                done = f"{sale.title} was cancelled"
            else:
                self._amend(sale)
                done = f"{sale.title} was {change.desired} by an amendment"
        except _Refused as error:
            receipts.record(change, Outcome.REJECTED, str(error))
        except Unconfirmed as error:
            receipts.record(change, Outcome.UNKNOWN, f"sent, no answer: {error}")
        except Transient as error:
            receipts.record(change, Outcome.RETRY, f"not carried out: {error}")
        except Permanent as error:
            receipts.record(change, Outcome.REJECTED, str(error))
        else:
            receipts.record(change, Outcome.APPLIED, done)

    def _amend(self, sale: FoundSale) -> None:
        """Take the sale's lines down to what has left."""
        if not self._models.has(AMENDMENTS, "sale"):
            raise _Refused(
                f"{SYSTEM} cancels no sale that it processes, such as {sale.title}; activate its module"
                " 'sale_amendment', or cancel it there by hand"
            )
        if sale.held_by:
            raise _Refused(
                f"of {sale.title} shipment {', '.join(sale.held_by)}; have the warehouse put it back to waiting, then"
                " replay this"
            )
        lines = [_line(line) for line in sale.lines if line.quantity > self._left(sale, line)]
        ours: rest.Domain = [["sale", "=", int(sale.number)], ["state", "=", "draft"], ["description", "=", REASON]]
        for former in self._models.all(AMENDMENTS, ("description",), ours, self._company.context()):
            self._asked("DELETE", f"{AMENDMENTS}/{former['id']}", None, resend=Resend.IDEMPOTENT)
        body = {"sale": int(sale.number), "description": REASON, "lines": [["create", lines]]}
        made = self._asked("POST", AMENDMENTS, body)
        number = made.body.get("id") if isinstance(made.body, Mapping) else None
        if not isinstance(number, int):
            raise Unconfirmed(f"{SYSTEM} made an amendment of {sale.title} and does not say which")
        self._asked("POST", f"{AMENDMENTS}/{number}/validate_amendment", {})

    @staticmethod
    def _left(sale: FoundSale, line: FoundLine) -> Decimal:
        """What stays of a line: of goods what has left, of a charge all of it as long as anything has."""
        return line.quantity if sale.is_shipped and not line.is_goods else line.shipped

    def _asked(self, method: str, place: str, body: object, *, resend: Resend = Resend.UNSAFE) -> Answer:
        answer = self._models.send(method, place, body, self._company.context(), resend=resend)
        if answer.status == 400:
            raise _Refused(self._models.client.redaction.clean(rest.refusal_of(answer)))
        return answer


def _line(line: FoundLine) -> dict[str, Any]:
    content: dict[str, Any] = {
        "action": "line",
        "line": line.number,
        "quantity": float(line.shipped),
        "unit_price": rest.decimal(line.price),
    }
    if line.product is not None:
        content |= {"product": int(line.product), "unit": line.unit}
    return content
