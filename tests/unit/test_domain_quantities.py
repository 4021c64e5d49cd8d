"""Available to sell, for any stock: nothing promised twice, wherever the promises are kept."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from trueup.domain.quantities import LocationStock, available_to_sell

quarters = st.integers(min_value=-4_000, max_value=400_000).map(lambda units: Decimal(units) / 4)
positive = st.integers(min_value=0, max_value=4_000).map(lambda units: Decimal(units) / 4)
stocks = st.builds(LocationStock, quarters, positive, positive, positive, st.integers(min_value=0, max_value=50))


@given(stock=stocks)
def test_a_location_has_stock_left_or_owes_some(stock: LocationStock) -> None:
    """Never both, and together they are what it can send less what it must."""
    assert stock.free * stock.shortfall == 0
    assert stock.free - stock.shortfall == max(0, stock.sellable - stock.safety_stock) - stock.reserved


@given(
    locations=st.lists(stocks, min_size=1, max_size=5),
    unassigned=positive,
    buffer=st.integers(min_value=0, max_value=50),
    share=st.sampled_from([Decimal("0.3333"), Decimal("0.5"), Decimal(1)]),
    cap=st.none() | st.integers(min_value=0, max_value=10**6),
)
def test_no_more_is_promised_than_is_left_when_every_order_is_sent(
    locations: list[LocationStock], unassigned: Decimal, buffer: int, share: Decimal, cap: int | None
) -> None:
    """The locations send what they have; a deficit in one is made up from the others, and is not sold again."""
    promised = available_to_sell(locations, unassigned, buffer, share, cap)
    there = sum(max(Decimal(0), stock.sellable - stock.safety_stock) for stock in locations)
    wanted = sum(stock.reserved for stock in locations) + unassigned
    assert 0 <= promised <= max(Decimal(0), there - wanted)
    assert cap is None or promised <= cap


@given(locations=st.lists(stocks, min_size=1, max_size=5), units=positive, chosen=st.integers(min_value=0, max_value=4))
def test_where_an_order_is_sent_from_changes_nothing(
    locations: list[LocationStock], units: Decimal, chosen: int
) -> None:
    """Not assigned yet, or assigned to a location that serves the channel: the channel may promise the same."""
    at = chosen % len(locations)
    stock = locations[at]
    assigned = [
        *locations[:at],
        LocationStock(stock.on_hand, stock.damaged, stock.quality_control, stock.reserved + units, stock.safety_stock),
        *locations[at + 1 :],
    ]
    before = available_to_sell(locations, units, 0, Decimal(1), None)
    assert available_to_sell(assigned, 0, 0, Decimal(1), None) == before
