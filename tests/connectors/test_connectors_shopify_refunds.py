"""Money goes back at Shopify once for each refund, never more than came in, in the currency that was paid."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.connectors.connectors_sandbox import details_of, no_faults
from tests.connectors.connectors_state import LastingState
from tests.connectors.order_changes import DONE, Perils, creation, observed, push, send
from tests.connectors.sandbox_shop import Shop
from tests.connectors.shopify_calls import POUNDS, QUIET, Placed, fresh_shop, goods, paid, priced
from tests.connectors.shopify_orders import both, check_order

from trueup.connectors.base import Writer
from trueup.connectors.one_by_one import OneByOneWriter
from trueup.connectors.shopify.api import shopify_api
from trueup.connectors.shopify.writers.refund import RefundClerk
from trueup.domain.changes import Change, Outcome
from trueup.sandbox.server import Sandbox, serve
from trueup.sandbox.world.money import Currencies
from trueup.sandbox.world.order_money import Gateway

SYSTEM = "shopify_main"
EUROS = Currencies("GBP", "EUR", Decimal("1.17"))


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    with serve(QUIET) as running:
        yield running


@pytest.fixture
def shop(served: Sandbox) -> Iterator[Shop]:
    no_faults(served)
    shop = fresh_shop(served)
    yield shop
    shop.client.close()


def builder(served: Sandbox, perils: Perils) -> Callable[[], Writer]:
    """Builds the writer of a new process each time."""
    state = LastingState()

    def built() -> Writer:
        api = shopify_api(details_of(served, SYSTEM), state)
        api.ask = perils.around(api.ask)  # type: ignore[method-assign]  # a line that can break
        return OneByOneWriter(RefundClerk(api))

    return built


@pytest.fixture
def perils(served: Sandbox) -> Perils:
    return Perils(served, SYSTEM, frozenset({"create_refund"}))


@pytest.fixture
def writer(shop: Shop, served: Sandbox, perils: Perils) -> Iterator[Writer]:
    assert shop
    made = builder(served, perils)()
    yield made
    made.close()


def part(placed: Placed, amount: str, index: int = 0) -> dict[str, str]:
    """So much of a payment."""
    payment = placed.payment(amount, index)
    return {"parent_ref": payment["parentId"], "gateway": payment["gateway"], "amount": amount}


def refund(placed: Placed, number: str, *parts: dict[str, str], **changed: object) -> Change:
    """A refund of money alone, as a document."""
    content: dict[str, Any] = {
        "order_ref": placed.id,
        "currency": "GBP",
        "transactions": list(parts),
        "lines": [],
        "shipping_amount": None,
        "note": None,
        **changed,
    }
    return creation("refund", f"refund:{number}", content)


def line_of(placed: Placed, units: int, restock: str, location_ref: str | None = None) -> dict[str, Any]:
    return {"line_ref": placed.line(), "quantity": units, "restock": restock, "location_ref": location_ref}


def given_back(placed: Placed) -> Decimal:
    return both(placed.read()["totalRefundedSet"])[1]


class TestOneRefund:
    """What is refunded, and what is refused."""

    def test_money_alone_takes_no_goods_with_it(self, shop: Shop, writer: Writer) -> None:
        """An apology, or a refund made at the payment provider (R11): amount only, never all items."""
        line = goods(shop, 2)
        placed = Placed(shop, [line])
        placed.ship(line, 2)
        change = refund(placed, "1", part(placed, "5.00"), note="Sorry")
        assert observed(writer, change) is None

        assert send(writer, change) == (Outcome.APPLIED, "refunded")

        (made,) = placed.read()["refunds"]
        assert (made["refundLineItems"]["nodes"], made["note"]) == ([], "Sorry [refund:1]")
        assert observed(writer, change) == change.desired
        assert send(writer, change)[0] is Outcome.ALREADY_APPLIED
        check_order(placed.read())

    @pytest.mark.parametrize(("restock", "moved"), [("return", 2), ("cancel", 2), ("no_restock", 0)])
    def test_restock_and_money_are_two_facts(self, shop: Shop, writer: Writer, restock: str, moved: int) -> None:
        """What goes on the shelf is said, never guessed (R3)."""
        line = goods(shop, 2)
        placed = Placed(shop, [line])
        if restock == "return":
            placed.ship(line, 2)
        before = shop.shown(str(line.sku))
        place = None if restock == "no_restock" else shop.location
        change = refund(placed, "1", part(placed, "20.00"), lines=[line_of(placed, 2, restock, place)])
        assert send(writer, change)[0] is Outcome.APPLIED
        assert shop.shown(str(line.sku)) - before == moved
        assert observed(writer, change) == change.desired
        check_order(placed.read())

    def test_two_equal_refunds_are_two(self, shop: Shop, writer: Writer) -> None:
        """A refund is known by its id, not by its content (R8)."""
        placed = Placed(shop, [goods(shop, 2)])
        for number in ("1", "2"):
            assert send(writer, refund(placed, number, part(placed, "5.00")))[0] is Outcome.APPLIED
        assert given_back(placed) == 10

    def test_a_refund_is_in_the_currency_of_the_payment(self, shop: Shop, writer: Writer) -> None:
        """1,000 rupees are not 1,000 dollars (R6)."""
        line = goods(shop, 2, 1_000)
        placed = Placed(shop, [line], money=priced(line, currencies=EUROS))
        wrong = send(writer, refund(placed, "1", part(placed, "5.00")))
        assert wrong == (Outcome.REJECTED, "the customer paid in EUR, and a refund is in that, not in GBP")
        change = refund(placed, "1", part(placed, "11.70"), currency="EUR")
        assert send(writer, change)[0] is Outcome.APPLIED
        assert both(placed.read()["totalRefundedSet"]) == (Decimal("10.00"), Decimal("11.70"))

    def test_the_ceiling_is_our_own_and_says_who_used_the_room(
        self, shop: Shop, writer: Writer, perils: Perils
    ) -> None:
        """Whatever Shopify would allow (R12): nothing is sent, and pending refunds count (R4)."""
        line = goods(shop, 2, 1_000)
        placed = Placed(shop, [line], money=priced(line, paid(POUNDS.of(2_000), Gateway.PAYPAL)))
        send(writer, refund(placed, "1", part(placed, "15.00")))
        assert placed.read()["refunds"][0]["transactions"]["nodes"][0]["status"] == "PENDING"
        sent = perils.count
        outcome, detail = send(writer, refund(placed, "2", part(placed, "5.01")))
        assert (outcome, perils.count) == (Outcome.REJECTED, sent)
        assert "5.0 of its 20.0 is left; already given back: 15.0 by gid://shopify/OrderTransaction/" in detail

    def test_each_payment_has_its_own_ceiling(self, shop: Shop, writer: Writer) -> None:
        """A card does not pay back what a gift card paid (R14)."""
        line = goods(shop, 2)
        money = priced(line, paid(POUNDS.of(500), Gateway.GIFT_CARD), paid(POUNDS.of(1_500)))
        placed = Placed(shop, [line], money=money)
        assert send(writer, refund(placed, "1", part(placed, "5.01", 0)))[0] is Outcome.REJECTED
        assert (
            send(writer, refund(placed, "2", part(placed, "5.00", 0), part(placed, "15.00", 1)))[0] is Outcome.APPLIED
        )
        assert given_back(placed) == 20

    def test_the_last_refund_takes_the_remainder(self, shop: Shop, writer: Writer) -> None:
        """A cent more by rounding line by line blocks nothing, and is not given twice (R9)."""
        line = goods(shop, 3, 999)
        placed = Placed(shop, [line], money=priced(line, off=1_000))
        send(writer, refund(placed, "1", part(placed, "13.32"), lines=[line_of(placed, 2, "no_restock")]))
        last = refund(placed, "2", part(placed, "6.66"), lines=[line_of(placed, 1, "no_restock")])
        assert send(writer, last)[0] is Outcome.APPLIED
        assert given_back(placed) == Decimal("19.97")
        assert observed(writer, last) == last.desired
        check_order(placed.read())

    def test_shipping_goes_back_once(self, shop: Shop, writer: Writer) -> None:
        """Shopify refuses the second time, and its words are kept (R12)."""
        line = goods(shop, 2)
        placed = Placed(shop, [line], money=priced(line, postage=395))
        change = refund(placed, "1", part(placed, "3.95"), shipping_amount="3.95")
        assert send(writer, change)[0] is Outcome.APPLIED
        assert observed(writer, change) == change.desired
        again = send(writer, refund(placed, "2", part(placed, "3.95"), shipping_amount="3.95"))
        assert again[0] is Outcome.REJECTED
        assert "exceeds what is left of the shipping" in again[1]

    def test_a_refund_that_was_refused_may_be_sent_again(self, shop: Shop, writer: Writer) -> None:
        """Shopify burns the key of a failed attempt: the next one has another, and what it did is still known."""
        line = goods(shop, 2)
        placed = Placed(shop, [line])
        change = refund(placed, "1", part(placed, "5.00"), lines=[line_of(placed, 2, "return", shop.location)])
        for _ in range(2):
            refused = send(writer, change)
            assert refused[0] is Outcome.REJECTED
        assert "cannot refund more items than were purchased" in refused[1]
        other = send(writer, refund(placed, "1", part(placed, "5.00")))
        assert (other[0], other[1].endswith("give it an id of its own")) == (Outcome.REJECTED, True)
        placed.ship(line, 2)
        assert send(writer, change)[0] is Outcome.APPLIED
        assert given_back(placed) == 5

    @pytest.mark.parametrize(
        ("changed", "problem"),
        [
            ({"transactions": []}, "the document refunds nothing"),
            ({"currency": None}, "the document has no currency"),
            (
                {"transactions": [{"parent_ref": "p", "gateway": "g", "amount": "1.001"}]},
                "is no amount of its currency",
            ),
            ({"transactions": [{"parent_ref": "p", "gateway": "g", "amount": "NaN"}]}, "is no amount of its currency"),
            ({"transactions": [{"parent_ref": "p", "gateway": "g", "amount": 1}]}, "is no amount of its currency"),
            ({"shipping_amount": "-1.00"}, "shipping_amount is below nothing"),
            (
                {"lines": [{"line_ref": "l", "quantity": 1, "restock": "return", "location_ref": None}]},
                "names no location; take the return's",
            ),
            ({"lines": [{"line_ref": "l", "quantity": 1, "restock": "maybe"}]}, "restock is none of return, cancel"),
        ],
    )
    def test_a_document_that_could_mean_two_things_is_refused(
        self, shop: Shop, writer: Writer, changed: dict[str, Any], problem: str
    ) -> None:
        """Before anything is asked (R18: a location is the return's)."""
        calls = shop.simulator.calls
        content = {"order_ref": "o", "currency": "GBP", "transactions": [], "lines": [], **changed}
        outcome, detail = send(writer, creation("refund", "r", content))
        assert (outcome, problem in detail) == (Outcome.REJECTED, True), detail
        assert shop.simulator.calls == calls

    def test_an_order_that_is_not_there_is_named(self, writer: Writer) -> None:
        change = creation(
            "refund",
            "r",
            {
                "order_ref": "gid://shopify/Order/1",
                "currency": "GBP",
                "transactions": [{"parent_ref": "p", "gateway": "g", "amount": "1.00"}],
            },
        )
        assert send(writer, change) == (Outcome.REJECTED, "the store has no order gid://shopify/Order/1")

    def test_a_refund_that_failed_at_the_bank_is_not_done(self, shop: Shop, writer: Writer) -> None:
        """The refund is there and paid nothing: a person looks (S18)."""
        line = goods(shop, 2, 1_000)
        placed = Placed(shop, [line], money=priced(line, paid(POUNDS.of(2_000), Gateway.PAYPAL)))
        change = refund(placed, "1", part(placed, "15.00"))
        send(writer, change)
        shop.simulator.books.orders[placed.name].refund_list[0].transactions[0].status = "FAILURE"
        assert send(writer, change) == (Outcome.REJECTED, "refund:1 is there with another content")

    def test_a_request_under_way_is_not_known(self, shop: Shop, writer: Writer) -> None:
        """The first one may still be paying."""
        placed = Placed(shop, [goods(shop, 2)])
        change = refund(placed, "1", part(placed, "5.00"))
        send(writer, change)
        shop.simulator.books.orders[placed.name].refund_list[0].note = "renamed by hand"
        shop.simulator.tuning({"concurrent_seconds": 60})
        outcome, detail = send(writer, change)
        shop.simulator.tuning({"concurrent_seconds": 0})
        assert (outcome, "currently in progress" in detail) == (Outcome.UNKNOWN, True)
        # The key still knows, though nobody can read it from the note any more.
        assert send(writer, change)[0] is Outcome.APPLIED
        assert given_back(placed) == 5


PERILS = st.lists(st.sampled_from(["lost", "before", "after", "busy", None]), max_size=3)


@settings(max_examples=10)
@given(
    refunds=st.lists(
        st.tuples(st.sampled_from("ABCD"), st.sampled_from([300, 700, 900, 1_500]), PERILS), min_size=2, max_size=5
    )
)
def test_whatever_is_lost_or_killed_no_refund_pays_twice(
    served: Sandbox, refunds: list[tuple[str, int, list[str | None]]]
) -> None:
    """Each refund once, in full or not at all, and never more than came in, though all are sent over again (R7)."""
    no_faults(served)
    shop = fresh_shop(served)
    placed = Placed(shop, [goods(shop, 2)])
    perils = Perils(served, SYSTEM, frozenset({"create_refund"}))
    build = builder(served, perils)
    amounts: dict[str, int] = {}
    expected = 0
    for number, cents, waiting in refunds:
        is_new = number not in amounts
        wanted = amounts.setdefault(number, cents)
        change = refund(placed, number, part(placed, f"{Decimal(wanted) / 100:.2f}"))
        perils.waiting = list(waiting)
        outcome = push(build, change)
        fits = expected + wanted <= 2_000
        if is_new and fits:
            expected += wanted
        elif is_new:
            del amounts[number]
        assert (outcome in DONE) == (not is_new or fits)
    assert given_back(placed) == Decimal(expected) / 100
    assert len(placed.read()["refunds"]) == len(amounts)
    check_order(placed.read())
    shop.client.close()
