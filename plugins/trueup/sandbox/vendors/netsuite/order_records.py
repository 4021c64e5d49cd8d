"""Sales orders over the record API: entered, changed, deleted.

As docs.oracle.com, ns-online-help, has them: an external id in the address with PUT creates or updates
(section_156335203191); lines are closed one by one (section_159795516182). A PATCH changes the lines that it names and
adds those without a number. What a line is worth is what was sent, else its units at the rate sent, else at the item's
own price. Left out deliberately: `replace=item`, prices by level, taxes that NetSuite would reckon itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from trueup.sandbox.vendors.booked_amounts import ZERO, LineAmount, rate_of, rounded
from trueup.sandbox.vendors.netsuite import bodies
from trueup.sandbox.vendors.netsuite.bodies import BodyLine
from trueup.sandbox.vendors.netsuite.books import NetSuiteBooks
from trueup.sandbox.vendors.netsuite.entry_rules import require_active, require_new_external_id
from trueup.sandbox.vendors.netsuite.errors import invalid_value, missing, user_error
from trueup.sandbox.vendors.netsuite.ledger import Heading
from trueup.sandbox.vendors.netsuite.masters import CURRENCIES, FIRST_CHARGE
from trueup.sandbox.vendors.netsuite.sales_orders import OrderLine, SalesOrder
from trueup.sandbox.world.entries import Entry

_KIND = "SalesOrd"
_ENTERED = {"A": False, "B": True}


def api_entry(now: datetime) -> Entry:
    """What somebody does over the API, now."""
    return Entry("api", "netsuite", now, now, moves_timestamp=True)


class OrderRecords:
    """Every call is under the world's lock, and changes nothing where it refuses."""

    def __init__(self, books: NetSuiteBooks, now: Callable[[], datetime]) -> None:
        self._books = books
        self._now = now

    def create(self, body: Mapping[str, Any], external_id: str | None = None) -> int:
        """Enter an order; its id. `external_id`: that of the address, instead of the body's."""
        given = bodies.external_id(body) if external_id is None else external_id
        require_new_external_id(self._books, _KIND, given)
        entity = bodies.required(bodies.reference(body, "entity"), "Customer", "entity")
        require_active(self._books, "customer", entity, "entity")
        currency = bodies.reference(body, "currency") or 1
        if currency > len(CURRENCIES):
            raise invalid_value(currency, "currency", "currency")
        items = bodies.lines(body)
        if not items:
            raise user_error("You must enter at least one line item for this transaction.", "item")
        name = bodies.text(body, "otherRefNum")
        channel = bodies.text(body, "custbody_channel")
        order = SalesOrder(
            0,
            (channel, name),
            entity,
            currency,
            CURRENCIES[currency - 1][2],
            is_approved=self._is_approved(body, default=False),
            is_ours=True,
        )
        for position, line in enumerate(items, 1):
            order.lines[f"line-{position}"] = self._line(line, order.digits, bodies.reference(body, "location"))
        heading = Heading(
            _KIND,
            given,
            otherrefnum=name,
            memo=bodies.text(body, "memo") or "",
            channel=channel,
            dated=bodies.dated(body, self._now()),
        )
        self._books.sales.enter(api_entry(self._now()), order, heading)
        return order.transaction_id

    def change(self, number: int, body: Mapping[str, Any]) -> None:
        """Change an order as the body says."""
        order = self._books.sales.orders[number]
        is_approved = self._is_approved(body, default=order.is_approved)
        by_number = {line.number: line for line in order.lines.values()}
        changed: list[tuple[OrderLine, OrderLine]] = []
        added: list[OrderLine] = []
        for item in bodies.lines(body):
            if item.number is None:
                added.append(self._line(item, order.digits, None))
                continue
            known = by_number.get(item.number)
            if known is None:
                raise invalid_value(item.number, "line", f"{item.path}.line")
            changed.append((known, self._changed(known, item, order.digits)))
        values = {
            column: bodies.text(body, name)
            for name, column in (
                ("memo", "memo"),
                ("otherRefNum", "otherrefnum"),
                ("custbody_channel", "custbody_channel"),
            )
            if name in body
        }
        if "externalId" in body and bodies.external_id(body) != self._external_id_of(number):
            require_new_external_id(self._books, _KIND, bodies.external_id(body))
            values["externalid"] = bodies.external_id(body)
        order.is_approved = is_approved
        for known, line in changed:
            self._books.sales.replace_line(order, known, line)
        entry = api_entry(self._now())
        for line in added:
            self._books.sales.add_line(order, line, entry)
        self._books.sales.write_order(order, entry)
        self._books.ledger.set_transaction(number, self._now(), **values)

    def upsert(self, external_id: str, body: Mapping[str, Any]) -> tuple[int, bool]:
        """Enter the order of that external id, or change it; its id, and whether it is new."""
        number = self._books.with_external_id(_KIND, external_id)
        if number is None:
            return self.create(body, external_id), True
        self.change(number, body)
        return number, False

    def delete(self, number: int) -> None:
        """Delete an order that nothing was made from."""
        made = self._books.connection.execute(
            'SELECT 1 FROM "transactionline" WHERE "createdfrom" = ? LIMIT 1', (number,)
        ).fetchone()
        if made is not None:
            raise user_error("This record cannot be deleted because it has dependent records.")
        self._books.sales.remove(self._books.sales.orders[number])

    def _external_id_of(self, number: int) -> str:
        row = self._books.head(number)
        return "" if row is None else str(row["externalid"] or "")

    def _is_approved(self, body: Mapping[str, Any], *, default: bool) -> bool:
        status = bodies.code(body, "orderStatus")
        if status is None:
            return default
        if status not in _ENTERED:
            raise invalid_value(status, "orderstatus", "orderStatus")
        return _ENTERED[status]

    def _line(self, line: BodyLine, digits: int, header_location: int | None) -> OrderLine:
        item = bodies.required(line.reference("item"), "Item", f"{line.path}.item")
        require_active(self._books, "item", item, f"{line.path}.item")
        quantity = line.units()
        if quantity is None and item < FIRST_CHARGE:
            raise missing("Quantity", f"{line.path}.quantity")
        units = 1 if quantity is None else quantity
        entered = OrderLine(
            0,
            0,
            item,
            self._books.skus.get(item),
            self._location(line) or self._named(header_location, line),
            units,
            self._money(line, item, units, digits, None),
            bodies.text(line.content, "description") or "",
        )
        entered.is_closed = line.is_set("isClosed", default=False)
        return entered

    def _changed(self, known: OrderLine, line: BodyLine, digits: int) -> OrderLine:
        units = line.units()
        units = known.ordered if units is None else units
        if units < known.shipped:
            raise user_error("The quantity of a line cannot be less than what is fulfilled of it.", line.path)
        location_id = self._location(line) or known.location_id
        return replace(
            known,
            ordered=units,
            location_id=location_id,
            money=self._money(line, known.item, units, digits, known),
            memo=known.memo if "description" not in line.content else bodies.text(line.content, "description") or "",
            is_closed=line.is_set("isClosed", default=known.is_closed),
        )

    def _money(self, line: BodyLine, item: int, units: int, digits: int, known: OrderLine | None) -> LineAmount:
        tax, rate, amount = line.amount("tax1Amt"), line.amount("rate"), line.amount("amount")
        if known is not None and rate is None and amount is None:
            same = known.money.amount if units == known.ordered else rounded(known.money.rate * units, digits)
            return LineAmount(known.money.rate, same, known.money.tax if tax is None else rounded(tax, digits))
        if amount is None:
            price = self._books.list_prices.get(item) if rate is None else rate
            if price is None:
                raise missing("Amount", f"{line.path}.amount")
            rate, amount = price, price * Decimal(units)
        amount = rounded(amount, digits)
        return LineAmount(
            rate_of(amount, units) if rate is None else rate, amount, ZERO if tax is None else rounded(tax, digits)
        )

    def _location(self, line: BodyLine) -> str | None:
        return self._named(line.reference("location"), line)

    def _named(self, number: int | None, line: BodyLine) -> str | None:
        if number is None:
            return None
        return self._books.location_of[require_active(self._books, "location", number, f"{line.path}.location")]
