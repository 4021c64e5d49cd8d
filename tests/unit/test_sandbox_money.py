"""Money in the sandbox's world: parts add up to the whole, in both currencies."""

import random
from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trueup.sandbox.business.price_list import PriceList
from trueup.sandbox.business.pricing import Pricing
from trueup.sandbox.naive import plain_world
from trueup.sandbox.world.clock import HOUR
from trueup.sandbox.world.entries import OrderLine
from trueup.sandbox.world.money import Amounts, Currencies, cash_rounding, slice_of, spread, spread_amounts, total
from trueup.sandbox.world.order_money import Gateway, PaymentStatus
from trueup.sandbox.world.products import invent_catalogue
from trueup.sandbox.world.settings import WorldSettings

SETTINGS = WorldSettings(skus=40)
CATALOGUE = invent_catalogue(SETTINGS, SETTINGS.dice("opening"))
minor = st.integers(min_value=0, max_value=1_000_000)
amounts = st.builds(Amounts, minor, minor)


@settings(deadline=None)
@given(amount=st.integers(min_value=-100_000, max_value=100_000), weights=st.lists(minor, min_size=1, max_size=12))
def test_a_spread_amount_is_its_parts_and_no_part_is_a_cent_off(amount: int, weights: list[int]) -> None:
    """Largest remainder: no part is further than a cent from its exact share."""
    parts = spread(amount, weights)
    assert sum(parts) == amount
    if sum(weights):
        assert all(
            abs(part - Decimal(amount) * weight / sum(weights)) < 1 for part, weight in zip(parts, weights, strict=True)
        )


@settings(deadline=None)
@given(amount=amounts, cuts=st.lists(st.integers(min_value=1, max_value=9), min_size=1, max_size=8))
def test_slices_of_a_line_are_the_line_however_it_is_cut(amount: Amounts, cuts: list[int]) -> None:
    """A line may be given back unit by unit or at once: the money is the same."""
    units, start, parts = sum(cuts), 0, []
    for cut in cuts:
        parts.append(slice_of(amount, units, start, start + cut))
        start += cut
    assert total(parts) == amount


@settings(deadline=None)
@given(amount=amounts, weights=st.lists(amounts, min_size=1, max_size=6))
def test_each_currency_is_spread_for_itself(amount: Amounts, weights: list[Amounts]) -> None:
    assert total(spread_amounts(amount, weights)) == amount


@settings(deadline=None)
@given(amount=amounts)
def test_cash_is_rounded_by_two_cents_at_most(amount: Amounts) -> None:
    rounding = cash_rounding(amount)
    assert abs(rounding.shop) <= 2
    assert (amount + rounding).shop % 5 == (amount + rounding).presented % 5 == 0


@pytest.mark.parametrize("channel_id", ["shopify_main", "shopify_outlet"])
@pytest.mark.parametrize("country", ["GB", "IE", "DE", "France, of a replayed file"])
def test_what_customers_pay_is_what_their_orders_cost(channel_id: str, country: str) -> None:
    """Over many orders every kind of discount and payment comes, and none leaves a cent."""
    prices, ways = PriceList.of(CATALOGUE, channel_id), Counter[str]()
    skus = list(CATALOGUE.products)
    for number in range(300):
        dice = random.Random(f"{channel_id}:{country}:{number}")
        lines = [
            OrderLine(f"l{index}", sku, sku, sku, dice.randint(1, 6), CATALOGUE.products[sku].price_minor)
            for index, sku in enumerate(dice.sample(skus, dice.randint(1, 3)))
        ]
        money = Pricing(prices, country, dice).price(lines)
        good = [payment for payment in money.payments if payment.status is not PaymentStatus.FAILURE]
        assert total(payment.amount for payment in good) == money.total
        for line in money.lines.values():
            assert 0 <= line.discounted.shop <= line.gross.shop
            assert 0 <= line.discounted.presented <= line.gross.presented
        ways.update(f"{payment.gateway}" for payment in money.payments)
        ways.update(rule.name for rule in money.rules)
        ways.update("liable" for line in money.lines.values() for tax in line.taxes if tax.is_channel_liable)
        ways.update("duty" for line in money.lines.values() if line.duties)
    assert set(Gateway) <= set(ways)
    assert {"Season sale", "On the house", "WELCOME10", "THANKS5", "FREESHIP"} <= set(ways)
    assert ("liable" in ways, "duty" in ways) == (country == "IE", country == "DE")


def test_an_order_costs_the_same_whatever_else_is_sold() -> None:
    """Its dice hang on its name alone, so two syncs of one world meet the same prices."""
    first, second = (
        plain_world(WorldSettings(skus=40, intensity=3.0)),
        plain_world(WorldSettings(skus=40, intensity=3.0)),
    )
    for world, _, shops in (first, second):
        if world is second[0]:
            for shop in shops.values():
                shop.front.quantities = dict.fromkeys(shop.front.quantities, 10_000)
        world.step(3 * HOUR)
    orders = [
        {(order.key, order.order.name): order.order for order in trade.fulfilment.orders.values()}
        for _, trade, _ in (first, second)
    ]
    same = [name for name in orders[0] if name in orders[1] and orders[0][name].lines == orders[1][name].lines]
    assert same
    assert all(orders[0][name].money == orders[1][name].money for name in same)


def test_presentment_money_follows_the_rate() -> None:
    euros = Currencies("GBP", "EUR", Decimal("1.17"))
    assert euros.of(1_000) == Amounts(1_000, 1_170)
    assert euros.of_presented(1_170) == Amounts(1_000, 1_170)


def test_a_discount_of_the_order_is_spread_by_largest_remainder() -> None:
    """10.00 over three equal lines: 3.34, 3.33, 3.33 (P9)."""
    parts = spread_amounts(Amounts(1_000, 1_170), [Amounts(500, 585)] * 3)
    assert [part.shop for part in parts] == [334, 333, 333]
    assert total(parts) == Amounts(1_000, 1_170)
