"""Never more than was paid, never a cent less than can be, whatever went back before."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.domain.currencies import minor_unit
from trueup.domain.refunds import OverCeiling, PaidBack, ReceivedPayment, amounts_to_refund

CENTS = st.integers(1, 20_000).map(lambda cents: Decimal(cents) / 100)


@given(
    paid=st.lists(CENTS, min_size=1, max_size=3),
    asked=st.lists(st.lists(st.tuples(st.integers(0, 2), CENTS), min_size=1, max_size=3), max_size=8),
    odd=st.integers(0, 3).map(lambda cents: Decimal(cents) / 100),
)
def test_no_sequence_of_refunds_gives_back_more_than_came_in(
    paid: list[Decimal], asked: list[list[tuple[int, Decimal]]], odd: Decimal
) -> None:
    """Each refund is taken whole, up to the odd cents, or refused; a refused one changes nothing."""
    payments = {f"p{index}": ReceivedPayment(f"p{index}", amount) for index, amount in enumerate(paid)}
    for number, parts in enumerate(asked):
        wanted = [(f"p{index}", amount) for index, amount in parts]
        sums = {ref: sum(amount for other, amount in wanted if other == ref) for ref, _ in wanted}
        fits = all(ref in payments and Decimal(0) < payments[ref].left >= total - odd for ref, total in sums.items())
        try:
            chosen = dict(amounts_to_refund(wanted, payments, odd))
        except OverCeiling:
            assert not fits
            continue
        assert fits
        for ref, amount in chosen.items():
            payment = payments[ref]
            assert amount == min(sums[ref], payment.left)
            back = (*payment.paid_back, PaidBack(f"r{number}", amount))
            payments[ref] = ReceivedPayment(ref, payment.amount, back)
            assert sum(part.amount for part in back) <= payment.amount


def test_the_last_refund_takes_the_remainder() -> None:
    """The sum of line refunds 179.26 is a cent above what was paid (R9); two cents are nobody's rounding."""
    payments = {"p": ReceivedPayment("p", Decimal("179.25"), (PaidBack("r1", Decimal("100.00")),))}
    assert amounts_to_refund([("p", Decimal("79.26"))], payments, Decimal("0.01")) == [("p", Decimal("79.25"))]
    with pytest.raises(OverCeiling, match=r"79.25 of its 179.25 is left; already given back: 100.00 by r1"):
        amounts_to_refund([("p", Decimal("79.27"))], payments, Decimal("0.01"))


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        (("q", "1.00"), "payment q is none that came in for this order"),
        (("p", "0.00"), "0.00 of payment p is nothing that could go back"),
        (("p", "5.00"), "3.00 of its 3.00 is left; nothing of it went back yet"),
    ],
)
def test_what_cannot_go_back_is_named(wanted: tuple[str, str], problem: str) -> None:
    payments = {"p": ReceivedPayment("p", Decimal("3.00"))}
    with pytest.raises(OverCeiling, match=problem):
        amounts_to_refund([(wanted[0], Decimal(wanted[1]))], payments, Decimal("0.01"))


def test_a_currency_has_its_own_smallest_amount() -> None:
    """Yen have no cents, dinars have thousandths."""
    assert [minor_unit(code) for code in ("EUR", "JPY", "KWD")] == [Decimal("0.01"), Decimal(1), Decimal("0.001")]
