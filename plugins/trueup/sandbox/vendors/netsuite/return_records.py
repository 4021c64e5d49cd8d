"""Returns and what is given back: return authorisation, item receipt, credit memo, customer refund.

An authorisation says what may come back, a receipt puts it on the shelf (or does not, `restock` false), a credit memo
gives the customer its worth, and a refund pays a credit memo out: facts with a document each (docs.oracle.com,
ns-online-help, section_4267258715, supported transformations; unconfirmed field by field for REST). An authorisation is
pending receipt at once; a credit memo made from it takes what was received and not credited yet.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from trueup.sandbox.vendors.booked_amounts import ZERO, rounded
from trueup.sandbox.vendors.netsuite import bodies
from trueup.sandbox.vendors.netsuite.bodies import BodyLine
from trueup.sandbox.vendors.netsuite.books import NetSuiteBooks
from trueup.sandbox.vendors.netsuite.entry_rules import require_active, require_new_external_id, require_open_period
from trueup.sandbox.vendors.netsuite.errors import invalid_value, missing, user_error
from trueup.sandbox.vendors.netsuite.ledger import Heading, Line
from trueup.sandbox.vendors.netsuite.masters import CURRENCIES
from trueup.sandbox.vendors.netsuite.order_records import api_entry
from trueup.sandbox.vendors.netsuite.return_orders import Return, ReturnLine
from trueup.sandbox.vendors.netsuite.sales_orders import SalesOrder
from trueup.sandbox.vendors.netsuite.transforms import Taken, Transforms, taken_of


class ReturnRecords:
    """Every call is under the world's lock, and changes nothing where it refuses."""

    def __init__(self, books: NetSuiteBooks, transforms: Transforms, now: Callable[[], datetime]) -> None:
        self._books = books
        self._transforms = transforms
        self._now = now
        self._paid_out: dict[int, Decimal] = {}
        self._credited: dict[int, Sequence[tuple[ReturnLine, int]]] = {}

    def authorize(self, order: SalesOrder, body: Mapping[str, Any]) -> int:
        """Let shipped goods come back; the authorisation's id."""
        taken = taken_of(
            order.products, body, lambda line: line.shipped - line.authorized, "There are no items to return."
        )
        rows = self._transforms.priced(order, taken, 1, lambda line: line.authorized)
        number = self._transforms.post(order, "RtnAuth", body, rows, status="B", is_posting=False)
        kept = self._books.returns[number] = Return(number, order)
        for position, each in enumerate(taken, 1):
            each.line.authorized += each.units
            kept.lines.append(ReturnLine(each.line, position, each.units))
        return number

    def receive(self, returned: Return, body: Mapping[str, Any]) -> int:
        """Take goods back; the receipt's id."""
        taken = self._of_return(
            returned, body, lambda line: line.units - line.received, "There are no items to receive."
        )
        rows, moves = [], []
        for _, each in taken:
            location_id = each.line.location_id
            said = None if each.said is None else each.said.reference("location")
            if said is not None:
                location_id = self._books.location_of.get(said)
            if location_id is None:
                raise missing("Location", "item")
            is_restocked = each.said is None or each.said.is_set("restock", default=True)
            number = self._books.ledger.location_ids[location_id]
            rows.append(Line(each.line.item, "InvtPart", number, each.units, is_affecting=is_restocked))
            if is_restocked:
                moves.append((each.line.sku or "", location_id, each.units))
        number = self._transforms.post(returned.order, "ItemRcpt", body, rows, source=returned.transaction_id)
        self._books.move(api_entry(self._now()), moves)
        for line, each in taken:
            line.received += each.units
        self._write(returned)
        return number

    def credit(self, returned: Return, body: Mapping[str, Any]) -> int:
        """Give the customer the worth of what was received; the credit memo's id.

        Lines of the body that name no line of the return are added to the memo.
        """
        said = bodies.lines(body, key="orderLine")
        of_return = {**body, "item": {"items": [line.content for line in said if line.number is not None]}}
        taken = self._of_return(
            returned, of_return, lambda line: line.received - line.credited, "There are no items to credit."
        )
        rows = self._transforms.priced(returned.order, [each for _, each in taken], 1, lambda line: line.credited)
        rows += self._added([line for line in said if line.number is None], returned.order.currency)
        number = self._transforms.post(
            returned.order, "CustCred", body, rows, status="A", source=returned.transaction_id
        )
        for line, each in taken:
            line.credited += each.units
            each.line.credited += each.units
        self._credited[number] = [(line, each.units) for line, each in taken]
        self._write(returned)
        return number

    def delete_credit(self, number: int) -> None:
        """Delete a credit memo of which nothing was paid out; what it credited of a return is open again."""
        if number in self._paid_out:
            raise user_error("This transaction cannot be deleted because it is linked to by other transactions.")
        for line, units in self._credited.pop(number, ()):
            line.credited -= units
            line.line.credited -= units
        self._books.ledger.delete(number)
        for returned in self._books.returns.values():
            self._write(returned)

    def credit_freely(self, body: Mapping[str, Any]) -> int:
        """A credit memo of its own, such as an apology: it names its customer, items and amounts."""
        entity = bodies.required(bodies.reference(body, "entity"), "Customer", "entity")
        currency = bodies.reference(body, "currency") or 1
        if currency > len(CURRENCIES):
            raise invalid_value(currency, "currency", "currency")
        rows = self._added(bodies.lines(body), currency)
        if not rows:
            raise user_error("You must enter at least one line item for this transaction.", "item")
        moves = [
            (self._books.skus[row.item], self._books.location_of[row.location], row.quantity or 0)
            for row in rows
            if row.is_affecting and row.location is not None
        ]
        number = self._post("CustCred", body, entity, currency, rows, status="A")
        self._books.move(api_entry(self._now()), moves)
        return number

    def _added(self, lines: Sequence[BodyLine], currency: int) -> list[Line]:
        """Rows of items that the body names itself. A product comes back to a location by them, as in NetSuite."""
        rows = []
        for line in lines:
            item, amount = bodies.required(line.reference("item"), "Item", line.path), line.amount("amount")
            require_active(self._books, "item", item, f"{line.path}.item")
            if amount is None:
                raise missing("Amount", line.path)
            units = line.units() or 1
            worth = rounded(amount, CURRENCIES[currency - 1][2])
            is_product = item in self._books.skus
            location = bodies.required(line.reference("location"), "Location", line.path) if is_product else None
            rows.append(
                Line(
                    item,
                    "InvtPart" if is_product else "OthCharge",
                    location,
                    units,
                    is_affecting=is_product,
                    rate=worth / units,
                    amount=worth,
                    memo=bodies.text(line.content, "description") or "",
                )
            )
        return rows

    def refund(self, body: Mapping[str, Any]) -> int:
        """Pay credit memos out, never more of one than is left of it; the refund's id."""
        entity = bodies.required(bodies.reference(body, "customer"), "Customer", "customer")
        paid: dict[int, Decimal] = {}
        currency = 1
        for line in bodies.lines(body, key="line", sublist="apply"):
            if not line.is_set("apply", default=True):
                continue
            credit = bodies.required(line.reference("doc"), "Document", line.path)
            row = self._books.head(credit)
            if row is None or row["type"] != "CustCred" or row["entity"] != entity:
                raise invalid_value(credit, "doc", f"{line.path}.doc")
            left = -Decimal(str(row["foreigntotal"] or 0)) - self._paid_out.get(credit, ZERO) - paid.get(credit, ZERO)
            amount = line.amount("amount")
            amount = left if amount is None else amount
            if not ZERO < amount <= left:
                raise user_error("The amount applied is more than the amount remaining of the credit.", line.path)
            paid[credit], currency = paid.get(credit, ZERO) + amount, int(row["currency"])
        if not paid:
            raise user_error("You must apply the refund to at least one credit.", "apply")
        number = self._post("CustRfnd", body, entity, currency, [], total=-sum(paid.values(), ZERO))
        for credit, amount in paid.items():
            self._paid_out[credit] = self._paid_out.get(credit, ZERO) + amount
            row = self._books.head(credit)
            is_used_up = row is not None and self._paid_out[credit] >= -Decimal(str(row["foreigntotal"]))
            self._books.ledger.set_transaction(credit, self._now(), status="B" if is_used_up else "A")
        return number

    def _post(
        self,
        kind: str,
        body: Mapping[str, Any],
        entity: int,
        currency: int,
        rows: Sequence[Line],
        *,
        status: str | None = None,
        total: Decimal | None = None,
    ) -> int:
        external_id, dated = bodies.external_id(body), bodies.dated(body, self._now())
        require_new_external_id(self._books, kind, external_id)
        require_open_period(self._books, dated)
        heading = Heading(
            kind,
            external_id,
            otherrefnum=bodies.text(body, "otherRefNum"),
            memo=bodies.text(body, "memo") or "",
            status=status,
            channel=bodies.text(body, "custbody_channel"),
            entity=entity,
            currency=currency,
            exchange_rate=CURRENCIES[currency - 1][3],
            total=-sum((row.amount or ZERO for row in rows), ZERO) if total is None else total,
            dated=dated,
        )
        return self._books.ledger.post(api_entry(self._now()), heading, rows)[0]

    def _of_return(
        self, returned: Return, body: Mapping[str, Any], room: Callable[[ReturnLine], int], nothing: str
    ) -> list[tuple[ReturnLine, Taken]]:
        by_line = {id(line.line): line for line in returned.lines}
        numbered = {line.number: line.line for line in returned.lines}
        taken = taken_of(
            list(numbered.values()), body, lambda line: room(by_line[id(line)]), nothing, numbers=list(numbered)
        )
        return [(by_line[id(each.line)], each) for each in taken]

    def _write(self, returned: Return) -> None:
        self._books.write_return(returned, self._now())
