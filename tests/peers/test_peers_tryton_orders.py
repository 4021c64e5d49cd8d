"""Orders and credits in a real Tryton 8.2 with its modules of money, on PostgreSQL: each once, whatever is killed."""

import itertools
import random
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from tests.connectors.netsuite_order_documents import creation, document, line, transition
from tests.connectors.order_changes import creation as creation_of
from tests.crash.killing import Death, all_at_once
from tests.peers.real_servers import Tryton

from trueup.configuration.model import SystemDeclaration, SystemRole
from trueup.connectors.base import Writer
from trueup.connectors.state import ProcessState
from trueup.connectors.tryton.reader import connect as connect_reader
from trueup.connectors.tryton.writers.order_states import connect as connect_states
from trueup.connectors.tryton.writers.orders import connect as connect_orders
from trueup.connectors.tryton.writers.refunds import connect as connect_refunds
from trueup.contracts.loader import load_contract
from trueup.domain.changes import Change, Outcome, Receipt
from trueup.domain.connections import ConnectionDetails
from trueup.domain.records import ReadMode
from trueup.domain.values import Document, State

KINDS = ("shipping", "fee", "tip", "duty", "gift_card", "rounding", "discount", "tax", "refund", "goodwill", "exchange")
CHANNEL = "shopify_main"
KILLS = 40
_DONE = (Outcome.APPLIED, Outcome.ALREADY_APPLIED)
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Erp:
    """The server with what documents are booked on, and one way to build each writer as a new process would."""

    tryton: Tryton
    options: Mapping[str, str]
    products: Mapping[str, str]

    @property
    def details(self) -> ConnectionDetails:
        return ConnectionDetails(
            "erp", "tryton", host=self.tryton.url, password=self.tryton.key, extra={"database": "erp"}
        )

    def writer(self, connect: Callable[..., Writer]) -> Writer:
        declared = SystemDeclaration(
            connector="tryton", connection="c", role=SystemRole.ERP, streams=("orders",), options=dict(self.options)
        )
        return connect(self.details, ProcessState(), declared)

    def apply(self, connect: Callable[..., Writer], change: Change) -> Receipt:
        writer = self.writer(connect)
        (receipt,) = writer.apply([change])
        writer.close()
        return receipt

    def shown(self, connect: Callable[..., Writer], change: Change) -> object:
        writer = self.writer(connect)
        found = writer.observe([change])[change.key].value
        writer.close()
        return found

    def read(self, stream: str) -> list[Mapping[str, Any]]:
        """A sweep of the stream, held against its contract."""
        reader = connect_reader(self.details, ProcessState())
        pages = list(reader.read(stream, ReadMode.SWEEP, None))
        reader.close()
        found = [record.payload for page in pages for record in page.records if record.payload is not None]
        checker = load_contract("tryton", stream).checker()
        assert (checker.violations(found), list(checker.unknown_fields)) == ({}, [])
        return found

    def sales(self, change: Change) -> list[dict[str, Any]]:
        domain = [["web_id", "=", change.record_ref]]
        return self.tryton.find("sale.sale", domain, "state", "total_amount", "shipments.id", "lines.id")

    def invoices(self, change: Change) -> list[dict[str, Any]]:
        domain = [["reference", "=", change.record_ref]]
        fields = ("state", "total_amount", "comment", "accounting_date", "invoice_date")
        return self.tryton.find("account.invoice", domain, *fields)

    def order(self, **changes: Any) -> Change:  # noqa: ANN401 - fields of a document
        """An order of three units at 9.99 with 20 % of tax inside, and shipping."""
        name = f"#{next(_numbers)}"
        sku = "SKU-003"
        content = document(
            order_name=name, channel=CHANNEL, currency="USD", total="33.47",
            lines=[line(item_ref=self.products[sku], sku=sku, quantity=3, unit_price="9.99", tax="5.00",
                        location_ref=None)],
            adjustments=[{"kind": "shipping", "amount": "3.50", "label": "Post"}],
        ) | changes  # fmt: skip
        return creation(content, f"trueup:{CHANNEL}|{name}")

    def refund(self, order: Change, refunded_at: str) -> Change:
        """One unit of an order is given back, with its tax."""
        assert isinstance(order.desired, Document)
        name = order.desired.content["order_name"]
        content = {
            "refund_ref": f"{CHANNEL}|r{name}", "order_name": name, "channel": CHANNEL, "refunded_at": refunded_at,
            "currency": "USD", "total": "9.99",
            "lines": [{"item_ref": self.products["SKU-003"], "sku": "SKU-003", "quantity": 1, "amount": "8.32"}],
            "adjustments": [{"kind": "tax", "amount": "1.67", "label": "Tax"}],
        }  # fmt: skip
        return creation_of("refund", f"trueup:{CHANNEL}|r{name}", content)


@pytest.fixture(scope="module")
def erp(tryton_money: Tryton) -> Erp:
    """With a web shop of the channel, and services for what is no goods, as the page says."""
    tryton = tryton_money

    def one(model: str, name: str, value: str) -> int:
        return int(tryton.find(model, [[name, "=", value]], "id")[0]["id"])

    unit, usd = one("product.uom", "name", "Unit"), one("currency.currency", "code", "USD")
    goods = tryton.find("product.category", [["name", "=", "Goods"]], "account_revenue")[0]
    booked = {"name": "Charges", "accounting": True, "account_revenue": goods["account_revenue"]}
    category = tryton.post("product.category", booked)["id"]
    east = one("stock.location", "code", "WHE")
    options = {"customer": str(one("party.party", "name", "Customer 1")), "warehouse": str(east)}
    for kind in KINDS:
        template = {
            "name": kind, "code": f"X-{kind}", "type": "service", "default_uom": unit, "sale_uom": unit,
            "salable": True, "list_price": {"__class__": "Decimal", "decimal": "0"}, "account_category": category,
            "products": [["create", [{}]]],
        }  # fmt: skip
        made = tryton.post("product.template", template)["id"]
        options[f"{kind}_product"] = str(tryton.find("product.product", [["template", "=", made]], "id")[0]["id"])
    shop = {
        "name": CHANNEL, "company": 1, "currency": usd, "guest_party": one("party.party", "name", "Guest"),
        "warehouses": [["add", [east]]],
    }  # fmt: skip
    tryton.post("web.shop", shop)
    products = {row["code"]: str(row["id"]) for row in tryton.get("product.product?f=code") if row["code"]}
    return Erp(tryton, options, products)


def test_an_order_is_booked_once_to_the_cent_and_cancelled(erp: Erp) -> None:
    """Tryton's own taxes would make 29.98 of 29.97; a second run does nothing."""
    change = erp.order()
    receipt = erp.apply(connect_orders, change)
    assert receipt.outcome is Outcome.APPLIED, receipt.detail
    (sale,) = erp.sales(change)
    assert (sale["state"], sale["total_amount"]["decimal"]) == ("processing", "33.47")
    assert erp.shown(connect_orders, change) == change.desired
    assert erp.apply(connect_orders, change).outcome is Outcome.ALREADY_APPLIED
    assert len(erp.sales(change)) == 1
    (read,) = [each for each in erp.read("orders") if each["web_id"] == change.record_ref]
    assert read["total_amount"] == {"__class__": "Decimal", "decimal": "33.47"}

    cancelling = transition(change.record_ref, "open", "cancelled")
    receipt = erp.apply(connect_states, cancelling)
    assert receipt.outcome is Outcome.APPLIED, receipt.detail
    assert erp.shown(connect_states, cancelling) == State("cancelled")
    assert erp.apply(connect_states, cancelling).outcome is Outcome.ALREADY_APPLIED
    (sale,) = erp.sales(change)
    assert (sale["state"], Decimal(sale["total_amount"]["decimal"])) == ("done", Decimal(0))


def test_a_parcel_is_read_with_its_tracking_and_the_rest_is_closed(erp: Erp) -> None:
    """One of three leaves; while the warehouse prepares it the order is refused by name."""
    change = erp.order()
    assert erp.apply(connect_orders, change).outcome is Outcome.APPLIED
    (sale,) = erp.sales(change)
    number = sale["shipments"][0]["id"]
    place = f"stock.shipment.out/{number}"
    moves = erp.tryton.get(f"{place}?f=inventory_moves.id")["inventory_moves"]
    erp.tryton.put(f"stock.move/{moves[0]['id']}", {"quantity": 1.0})
    erp.tryton.post(f"{place}/assign_try")
    receipt = erp.apply(connect_states, transition(change.record_ref, "open", "cancelled"))
    assert (receipt.outcome, "have the warehouse put it back to waiting" in receipt.detail) == (Outcome.REJECTED, True)
    for step in ("pick", "pack", "do"):
        erp.tryton.post(f"{place}/{step}", None, {"_skip_warnings": True})
    erp.tryton.put(place, {"reference": "1Z999, 1Z998"})
    found = [each for each in erp.read("stock_movements") if (each["sale"] or {}).get("web_id") == change.record_ref]
    assert [(each["outgoing_shipment"]["reference"], each["internal_quantity"]) for each in found] == [
        ("1Z999, 1Z998", 1.0)
    ]
    closing = transition(change.record_ref, "open", "closed")
    receipt = erp.apply(connect_states, closing)
    assert receipt.outcome is Outcome.APPLIED, receipt.detail
    assert erp.shown(connect_states, closing) == State("closed")


def test_a_refund_is_credited_once_also_one_of_a_closed_month(erp: Erp) -> None:
    """The latter counts on the first open day and says its own; numbers are given in the order of dates."""
    order, old = erp.order(), erp.order()
    for each in (order, old):
        assert erp.apply(connect_orders, each).outcome is Outcome.APPLIED
    change = erp.refund(order, datetime.now(UTC).isoformat())
    receipt = erp.apply(connect_refunds, change)
    assert receipt.outcome is Outcome.APPLIED, receipt.detail
    assert erp.shown(connect_refunds, change) == change.desired
    assert erp.apply(connect_refunds, change).outcome is Outcome.ALREADY_APPLIED
    assert [(each["state"], each["total_amount"]["decimal"]) for each in erp.invoices(change)] == [("posted", "-9.99")]

    closed = erp.tryton.find("account.period", [["state", "=", "closed"]], "start_date")[-1]["start_date"]
    late = erp.refund(old, f"{closed['year']}-{closed['month']:02}-10T10:00:00Z")
    receipt = erp.apply(connect_refunds, late)
    assert receipt.outcome is Outcome.APPLIED, receipt.detail
    (invoice,) = erp.invoices(late)
    assert invoice["comment"].endswith("-10, whose period is closed")
    assert invoice["accounting_date"]["day"] == 1
    assert invoice["state"] == "posted"
    read = {each["reference"]: each["total_amount"]["decimal"] for each in erp.read("credits")}
    assert (read[change.record_ref], read[late.record_ref]) == ("-9.99", "-9.99")


def test_killed_forty_times_while_booking_and_crediting_nothing_is_doubled_or_lost(
    erp: Erp, capsys: pytest.CaptureFixture[str]
) -> None:
    """Killed around any request, up to three bookers at once; of those who credit one at a time, as the engine does."""
    report = killed(erp, KILLS)
    with capsys.disabled():
        print(f"\n{report.kills} kills, {len(report.sold)} orders, {len(report.given)} credits")  # noqa: T201
    assert report.kills >= KILLS
    assert set(report.sold) == {(("processing", "33.47"),)}
    assert set(report.given) == {(("posted", "-9.99"),)}


@dataclass(frozen=True)
class Report:
    """What the server has of each order and each refund: state and total of every document of its id."""

    kills: int
    sold: list[tuple[tuple[str, str], ...]]
    given: list[tuple[tuple[str, str], ...]]


def killed(erp: Erp, kills: int) -> Report:
    """Kill those who book and those who credit, over ever new documents, then let each end; what is there."""
    dice = random.Random(8)
    orders: list[Change] = []
    refunds: list[Change] = []
    count = 0

    def strike(connect: Callable[..., Writer], changes: list[Change], most: int) -> int:
        deaths = [Death(dice.randint(4, 17), is_after=dice.random() < 0.5) for _ in range(dice.randint(1, most))]
        endings = all_at_once(lambda: erp.writer(connect).apply(changes), deaths)
        return sum(code == -signal.SIGKILL for code, _ in endings)

    while count < kills:
        taken = [erp.order(), erp.order()]
        for _ in range(3):
            count += strike(connect_orders, taken, 3)
        refunded = erp.order()
        assert erp.apply(connect_orders, refunded).outcome in _DONE
        given = erp.refund(refunded, datetime.now(UTC).isoformat())
        for _ in range(3):
            count += strike(connect_refunds, [given], 1)
        orders += taken
        refunds.append(given)
    for connect, changes in ((connect_orders, orders), (connect_refunds, refunds)):
        for change in changes:
            receipt = erp.apply(connect, change)
            assert receipt.outcome in _DONE, receipt.detail
    return Report(
        count, [_documents(erp.sales(each)) for each in orders], [_documents(erp.invoices(each)) for each in refunds]
    )


def _documents(rows: list[dict[str, Any]]) -> tuple[tuple[str, str], ...]:
    return tuple((row["state"], row["total_amount"]["decimal"]) for row in rows)
