"""Available to sell is what the rule says, for any stock and any rules."""

import random
from decimal import Decimal
from typing import Any

import pytest
from tests.transform.transform_facts import (
    Fact,
    Facts,
    Line,
    at,
    netsuite_item,
    netsuite_level,
    netsuite_order,
    shipbob_level,
    shipbob_product,
    shopify_listing,
    shopify_order,
    shopify_variant,
)

from trueup.configuration.model import Rule, TenantConfiguration
from trueup.domain.quantities import LocationStock, available_to_sell

SKUS = 150
CATEGORIES = ("Kitchen", "Seasonal", "Garden")
CHANNELS = ("shopify_main", "shopify_outlet")
TERMS = ("safety_stock", "buffer", "share", "cap")


def _rule(dice: random.Random, **scope: str) -> dict[str, Any]:
    """A rule that says some of the terms and leaves the others to a less specific one."""
    terms = {
        "safety_stock": dice.randint(0, 4),
        "buffer": dice.randint(0, 5),
        "share": dice.choice(["0", "0.3333", "0.5", "0.9", "1"]),
        "cap": dice.randint(0, 30),
    }
    return {**scope, **{name: value for name, value in terms.items() if dice.random() < 0.5}}


def _term(configuration: TenantConfiguration, channel: str, sku: str, category: str, term: str) -> Any:  # noqa: ANN401
    """The most specific rule that says the term: SKU, then category, then channel, then default."""
    rules = configuration.channels[channel].rules

    def first(is_scope: list[Rule]) -> Any:  # noqa: ANN401
        return next((value for rule in is_scope if (value := getattr(rule, term)) is not None), None)

    for scope in (
        [rule for rule in rules if rule.sku == sku],
        [rule for rule in rules if rule.category == category],
        [rule for rule in rules if rule.sku is None and rule.category is None],
        [configuration.default_rule],
    ):
        value = first(scope)
        if value is not None:
            return value
    return None


@pytest.mark.parametrize("seed", [1, 2])
def test_every_position_is_what_the_rule_gives(facts: Facts, seed: int) -> None:
    """Against the domain's own function, with the rules resolved term by term."""
    dice = random.Random(seed)
    content = facts.configuration.model_dump(mode="json")
    for channel in CHANNELS:
        rules = [_rule(dice)] + [_rule(dice, category=category) for category in CATEGORIES[:2]]
        rules += [_rule(dice, sku=f"HV-{dice.randrange(SKUS):05d}") for _ in range(20)]
        dice.shuffle(rules)
        content["channels"][channel]["rules"] = rules
    content["channels"]["shopify_outlet"]["shows"] = "on_hand"
    facts.declare(TenantConfiguration.model_validate(content))
    stock: dict[str, dict[str, Any]] = {}
    landed: list[Fact] = []
    for number in range(SKUS):
        sku, item = f"HV-{number:05d}", str(1000 + number)
        # Quarters, as a scale or a roll of cloth has them; and now and then more is promised than there is.
        east, west = Decimal(dice.randint(-12, 160)) / 4, dice.randint(0, 40)
        wholesale = dice.choice([dice.randint(0, 6), dice.randint(0, 60)])
        unrouted, allocated = dice.randint(0, 4), dice.randint(0, 5)
        stock[sku] = {
            "east": east,
            "west": west,
            "wholesale": wholesale,
            "unrouted": unrouted,
            "allocated": allocated,
            "category": number % len(CATEGORIES),
        }
        landed.extend(
            [
                netsuite_item(item, sku, category=CATEGORIES[number % len(CATEGORIES)]),
                shipbob_product(number, sku),
                shopify_variant(str(number), sku),
                shopify_variant(str(number), sku, store="shopify_outlet"),
                netsuite_level(item, str(east), at(0)),
                shipbob_level(number, west, at(0)),
                shopify_listing(str(number), 1, at(0), store="shopify_outlet", committed=allocated),
                *([netsuite_order(number, item, wholesale, at(0), transaction=item)] if wholesale else []),
                *([shopify_order(f"#{number}", [Line(str(number), unrouted)], at(0))] if unrouted else []),
            ]
        )
    facts.land(landed)
    facts.build()
    rows = facts.rows("select * from marts.ats_positions where channel like 'shopify%'")
    assert any(row["shortfall_quantity"] > 0 and row["free_quantity"] > 0 for row in rows)
    assert any(row["free_quantity"] % 1 for row in rows)
    assert len(rows) == SKUS * len(CHANNELS)
    for row in rows:
        held = stock[row["sku"]]
        terms = {
            term: _term(facts.configuration, row["channel"], row["sku"], CATEGORIES[held["category"]], term)
            for term in TERMS
        }
        places = [LocationStock(held["east"], 0, 0, held["wholesale"], terms["safety_stock"])]
        if row["channel"] == "shopify_main":
            places.append(LocationStock(held["west"], 0, 0, 0, terms["safety_stock"]))
        expected = available_to_sell(
            places, held["unrouted"], terms["buffer"], Decimal(str(terms["share"])), terms["cap"]
        )
        assert row["ats_quantity"] == expected, (row, held, terms)
        allocated = held["allocated"] if row["channel"] == "shopify_outlet" else 0
        assert row["target_quantity"] == expected + allocated
        _assert_it_explains_itself(row)


def _assert_it_explains_itself(row: dict[str, Any]) -> None:
    """The terms add up exactly, over the places and down to the target."""
    places = row["location_terms"]
    assert row["free_quantity"] == sum(place["free_quantity"] for place in places)
    assert row["shortfall_quantity"] == sum(place["shortfall_quantity"] for place in places)
    for place in places:
        sellable = place["on_hand_quantity"] - place["damaged_quantity"] - place["quality_control_quantity"]
        assert place["sellable_quantity"] == sellable
        free = max(0, sellable - place["reserved_quantity"] - place["safety_stock_quantity"])
        assert place["free_quantity"] == free
        owed = max(0, place["reserved_quantity"] - max(0, sellable - place["safety_stock_quantity"]))
        assert place["shortfall_quantity"] == owed
    owed_in_all = row["shortfall_quantity"] + row["unassigned_reserved_quantity"]
    assert row["pool_quantity"] == row["free_quantity"] - owed_in_all
    assert set(row["rule_ids"]) == set(TERMS)
