"""Where a Vendure shop's stock goes when the sum of its locations is to be another."""

from hypothesis import given
from hypothesis import strategies as st

from trueup.connectors.vendure.writers.inventory import spread

LOCATIONS = st.sampled_from(["1", "2", "3", "4"])
LEVELS = st.dictionaries(LOCATIONS, st.integers(min_value=-20, max_value=500), max_size=4)


@given(levels=LEVELS, listing=LOCATIONS, target=st.integers(min_value=0, max_value=1000))
def test_the_sum_is_the_target(levels: dict[str, int], listing: str, target: int) -> None:
    """The shop sells the sum of all its locations: one left out would be sold as well."""
    changed = spread(levels, listing, target)

    assert sum({**levels, **changed}.values()) == target


@given(levels=LEVELS, listing=LOCATIONS, target=st.integers(min_value=0, max_value=1000))
def test_other_locations_are_touched_only_when_they_alone_exceed_the_target(
    levels: dict[str, int], listing: str, target: int
) -> None:
    """Where goods lie is the retailer's business as long as the sum is right."""
    others = {location: units for location, units in levels.items() if location != listing}
    changed = {location: units for location, units in spread(levels, listing, target).items() if location != listing}

    if sum(others.values()) <= target:
        assert changed == {}
    assert all(0 <= units < others[location] for location, units in changed.items())


@given(levels=LEVELS, listing=LOCATIONS, target=st.integers(min_value=0, max_value=1000))
def test_only_what_changes_is_sent(levels: dict[str, int], listing: str, target: int) -> None:
    """Every figure sent is one that somebody else may have changed meanwhile."""
    assert all(levels.get(location) != units for location, units in spread(levels, listing, target).items())
