"""The ceiling of refunds: what was paid less what went back, by payment, whatever order things happen in.

Held against a purse that only counts coins: each payment is a heap of them in the smallest unit of its currency.
"""

import random
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from tests.scale import SCALE, scaled

from trueup.domain.currencies import minor_unit
from trueup.domain.refunds import OverCeiling, PaidBack, ReceivedPayment, amounts_to_refund

METHODS = ("card", "gift_card", "cash")
CURRENCIES = ("GBP", "JPY", "KWD")
STEPS = 12


@dataclass
class Purse:
    """One order's payments as coins. `made`: what each refund took of each payment; a failed one is taken out again."""

    unit: Decimal
    coins: dict[str, int]
    made: dict[str, dict[str, int]] = field(default_factory=dict)

    def left(self, payment_ref: str) -> int:
        """Coins of the payment that have not gone back."""
        return self.coins[payment_ref] - sum(refund.get(payment_ref, 0) for refund in self.made.values())

    def payments(self) -> dict[str, ReceivedPayment]:
        """The same as the store tells it."""
        return {
            ref: ReceivedPayment(
                ref,
                coins * self.unit,
                tuple(PaidBack(name, refund[ref] * self.unit) for name, refund in self.made.items() if refund.get(ref)),
            )
            for ref, coins in self.coins.items()
        }


def order(dice: random.Random) -> Purse:
    """An order paid by one method or several, a card by captures of its own for each parcel."""
    coins: dict[str, int] = {}
    for method in dice.sample(METHODS, dice.randint(1, 3)):
        captures = dice.randint(1, 3) if method == "card" else 1
        coins |= {f"{method}-{number}": dice.randint(1, 5_000) for number in range(captures)}
    return Purse(minor_unit(dice.choice(CURRENCIES)), coins)


def wish(dice: random.Random, purse: Purse) -> dict[str, int]:
    """Coins that are to go back by payment: a part, all that is left, a coin more than that, or far too many."""
    wanted = {}
    for ref in dice.sample(sorted(purse.coins), dice.randint(1, len(purse.coins))):
        left = purse.left(ref)
        wanted[ref] = max(1, dice.choice([dice.randint(0, left), left, left + 1, left + 2, purse.coins[ref] * 2]))
    return wanted


def refund(purse: Purse, name: str, wanted: dict[str, int], odd: int) -> bool:
    """Ask for it, and see that what is granted is what there is to grant; whether it was."""
    has_room = all(purse.left(ref) > 0 and coins <= purse.left(ref) + odd for ref, coins in wanted.items())
    try:
        amounts = amounts_to_refund(
            [(ref, coins * purse.unit) for ref, coins in wanted.items()], purse.payments(), odd * purse.unit
        )
    except OverCeiling:
        assert not has_room, "refused, and there was room"
        return False
    assert has_room, "granted, and there was no room"
    taken = {ref: int(amount / purse.unit) for ref, amount in amounts}
    # Never less than owed: the whole of it, or all that is left where a rounding has carried it beyond.
    assert taken == {ref: min(coins, purse.left(ref)) for ref, coins in wanted.items()}
    purse.made[name] = taken
    return True


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    "count",
    [
        pytest.param(4_000 * SCALE, id="short"),
        pytest.param(250_000 * SCALE, id="long", marks=pytest.mark.nightly),
    ],
)
@scaled
def test_no_sequence_gives_back_more_than_was_paid_or_less_than_is_owed(count: int) -> None:
    """Refunds, repeats, refusals and refunds that fail: room is used once, and a refusal uses none."""
    for number in range(count):
        dice = random.Random(number)
        purse = order(dice)
        odd = dice.randint(0, 2)
        refused: list[dict[str, int]] = []
        for step in range(STEPS):
            match dice.randrange(4):
                case 0 if purse.made:
                    # The gateway says no in the end: what it held is free again.
                    del purse.made[dice.choice(sorted(purse.made))]
                case 1 if refused:
                    # Never refused twice for the same money: where it is free by now, it is granted.
                    refund(purse, f"r{step}", refused.pop(), odd)
                case _:
                    wanted = wish(dice, purse)
                    if not refund(purse, f"r{step}", wanted, odd):
                        refused.append(wanted)
            assert all(purse.left(ref) >= 0 for ref in purse.coins), number
        rest = {ref: purse.left(ref) for ref in purse.coins if purse.left(ref)}
        assert not rest or refund(purse, "rest", rest, 0), "the customer can have all that is left"
