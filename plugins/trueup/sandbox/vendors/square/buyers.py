"""How Square's customers pay: discounts, service charges, tips, and with what.

Each sale has dice of its own, named after its reference, so that no other choice of the world is drawn differently.
A replayed sale is paid plainly, by card: its invoice says all that was paid.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from trueup.sandbox.vendors.square.money import percent_of

_BRANDS: Final = ("VISA", "MASTERCARD", "AMERICAN_EXPRESS")
_NOTES: Final = (500, 1000, 2000, 5000)
_FREE_DELIVERY: Final = 4000
_MOST_ON_A_GIFT_CARD: Final = 2500


@dataclass(frozen=True, slots=True)
class Discount:
    """A percentage or an amount in pence. `line`: position of the one line that it is for, None for the order."""

    uid: str
    name: str
    percentage: int | None = None
    amount: int | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """A service charge of a fixed amount in pence, tax included."""

    uid: str
    name: str
    amount: int


@dataclass(frozen=True, slots=True)
class Terms:
    """What a sale adds to its prices and takes off them."""

    discounts: tuple[Discount, ...] = ()
    charges: tuple[Charge, ...] = ()
    is_taxed: bool = True


@dataclass(frozen=True, slots=True)
class Paid:
    """One payment: `kind` as Square's tenders name it, `amount` in pence with its tip, `supplied` the cash handed over.

    `brand` and `last_4` are the card's. `source`: who took the money where Square did not.
    """

    kind: str
    amount: int
    tip: int = 0
    supplied: int | None = None
    brand: str | None = None
    last_4: str | None = None
    source: str | None = None


class Buyer:
    """The customer of one sale. `dice` are the sale's own; None: a plain buyer, who pays the price by card."""

    def __init__(self, dice: random.Random | None, *, is_online: bool, is_taxed: bool) -> None:
        self._dice = dice
        self._is_online = is_online
        self._is_taxed = is_taxed

    def terms(self, gross: Sequence[int]) -> Terms:
        """What is agreed on, of lines that cost `gross` pence each."""
        dice = self._dice
        if dice is None or not gross:
            return Terms(is_taxed=self._is_taxed)
        discounts = []
        marked = dice.randrange(len(gross))
        if dice.random() < 0.08 and gross[marked] >= 100:
            discounts.append(Discount("MARKDOWN", "Shelf mark-down", amount=gross[marked] // 4, line=marked))
        if dice.random() < 0.12:
            name = "Code HARBOUR10" if self._is_online else "Regular customer"
            discounts.append(Discount("TEN", name, percentage=10))
        charges = []
        if self._is_online and sum(gross) < _FREE_DELIVERY:
            charges.append(Charge("DELIVERY", "Delivery", 395))
        if dice.random() < 0.05:
            charges.append(Charge("GIFTBOX", "Gift box", 350))
        return Terms(tuple(discounts), tuple(charges), self._is_taxed)

    def payments(self, total: int) -> tuple[Paid, ...]:
        """With what the total is paid; nothing is paid where nothing costs. A tip comes on top of the total."""
        if total == 0:
            return ()
        dice = self._dice
        if dice is None:
            return (Paid("CARD", total, brand="VISA", last_4="1111"),)
        way = dice.random()
        if way < 0.08:
            return self._by_gift_card(dice, total)
        if self._is_online:
            return (self._by_card(dice, total),)
        if way < 0.14 and total >= 1000:
            return (self._in_cash(dice, total // 500 * 250), self._by_card(dice, total - total // 500 * 250))
        if way < 0.44:
            return (self._in_cash(dice, total),)
        tip = percent_of(total, 10) if dice.random() < 0.05 else 0
        return (self._by_card(dice, total + tip, tip),)

    def _by_gift_card(self, dice: random.Random, total: int) -> tuple[Paid, ...]:
        covered = min(total, dice.randint(500, _MOST_ON_A_GIFT_CARD))
        card = Paid("SQUARE_GIFT_CARD", covered, brand="SQUARE_GIFT_CARD", last_4=f"{dice.randrange(10_000):04}")
        return (card,) if covered == total else (card, self._by_card(dice, total - covered))

    def _by_card(self, dice: random.Random, amount: int, tip: int = 0) -> Paid:
        return Paid("CARD", amount, tip, brand=dice.choice(_BRANDS), last_4=f"{dice.randrange(10_000):04}")

    def _in_cash(self, dice: random.Random, amount: int) -> Paid:
        note = dice.choice(_NOTES)
        return Paid("CASH", amount, supplied=-(-amount // note) * note)
