"""Movements that the source changes or takes back: levels and reservations follow, and nothing is counted twice.

Every story has a product of its own, and all of them are told in step: one build decides the same step of each.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from tests.built_warehouse import fresh_facts
from tests.transform.transform_facts import (
    Fact,
    Facts,
    Line,
    at,
    gone,
    netsuite_item,
    netsuite_level,
    netsuite_movement,
    netsuite_order,
    shipbob_event,
    shipbob_level,
    shipbob_product,
    shopify_order,
    shopify_variant,
    square_adjustment,
    square_count,
    square_item,
    square_physical_count,
)
from tests.workflows.inventory.test_transform_order_of_arrival import tables

from trueup.dev.postgres import EmbeddedPostgres

MOVED, LEVEL_READ, CHANGED, SEEN = at(400), at(500), at(2000), at(2010)

Step = tuple[Sequence[Fact], int, int]
"""What lands, then what lies at the story's location, and what orders hold of the product."""


@dataclass(frozen=True)
class Story:
    """What happens to one product at one location."""

    location: str
    steps: Sequence[Step]


def _order(number: int, quantity: int) -> list[Fact]:
    """A store's order and its copy in the ERP, which says where it is shipped from and nothing of what was."""
    return [
        shopify_order(f"#{number}", [Line(str(number), quantity)], at(10)),
        netsuite_order(
            number,
            str(1000 + number),
            quantity,
            at(20),
            transaction=str(5000 + number),
            order=f"#{number}",
            channel="shopify_main",
        ),
    ]


def _shipment(number: int, units: int, *, of: int | None = None, **outcome: Any) -> Fact:  # noqa: ANN401 - of several kinds
    item = number if of is None else of
    return netsuite_movement(
        number, str(1000 + item), -units, MOVED, kind="ItemShip", created_from=str(5000 + item),
        **outcome,
    )  # fmt: skip


def _level(number: int, quantity: int, seconds: int) -> Fact:
    return netsuite_level(str(1000 + number), quantity, at(seconds))


def _again(first: Fact, changed: Fact) -> Fact:
    """The record of `first`, seen later with another content."""
    return replace(changed, source_key=first.source_key, occurred_at=SEEN)


def _came_in(number: int, kind: str) -> Story:
    """Ten units came in after the level; lowered to four, deleted, entered again."""
    first = netsuite_movement(number, str(1000 + number), 10, MOVED, kind=kind)
    lowered = netsuite_movement(number, str(1000 + number), 4, MOVED, kind=kind, modified=CHANGED, observed=SEEN)
    back = replace(first, occurred_at=at(4000))
    return Story(
        "WH-EAST", [([first], 110, 0), ([lowered], 104, 0), ([gone(first, at(3000))], 100, 0), ([back], 110, 0)]
    )


def _elsewhere(location: str, level: Fact, first: Fact, lowered: Fact) -> Story:
    """Five units left after the level; lowered to two, deleted, entered again."""
    return Story(
        location,
        [
            ([level, first], 95, 0),
            ([_again(first, lowered)], 98, 0),
            ([gone(first, at(3000))], 100, 0),
            ([replace(first, occurred_at=at(4000))], 95, 0),
        ],
    )


def _stories() -> Mapping[str, Story]:
    receipt = netsuite_movement(4, "1004", 10, MOVED, kind="ItemRcpt", observed=at(410))
    counted = square_physical_count("C14", "14", 30, at(500))
    return {
        "a lowered shipment": Story(
            "WH-EAST",
            [
                ([*_order(1, 5), _shipment(1, 5), _level(1, 95, 500)], 95, 0),
                # Whether the level holds the correction is not known yet: what it gives back is not offered.
                ([_shipment(1, 2, modified=CHANGED, observed=SEEN)], 95, 3),
                ([_level(1, 98, 2020)], 98, 3),
                ([], 98, 3),
            ],
        ),
        "a deleted shipment": Story(
            "WH-EAST",
            [
                ([*_order(2, 5), _shipment(2, 5), _level(2, 95, 500)], 95, 0),
                ([gone(_shipment(2, 5), SEEN)], 95, 5),
                ([_level(2, 100, 2020)], 100, 5),
                ([], 100, 5),
            ],
        ),
        "a raised shipment": Story(
            "WH-EAST",
            [
                ([*_order(3, 5), _shipment(3, 3), _level(3, 97, 500)], 97, 2),
                # The order holds less at once, so the level loses as much at once, and once.
                ([_shipment(3, 5, modified=CHANGED, observed=SEEN)], 95, 0),
                ([_level(3, 95, 2020)], 95, 0),
                ([], 95, 0),
            ],
        ),
        "a deleted receipt that the level may hold": Story(
            "WH-EAST",
            [
                ([receipt, _level(4, 110, 500)], 110, 0),
                ([gone(receipt, SEEN)], 100, 0),
                # Read before the deletion was seen: it may hold the ten still.
                ([_level(4, 110, 2005)], 100, 0),
                ([_level(4, 100, 2020)], 100, 0),
            ],
        ),
        "a raised shipment that the level knows before we do": Story(
            "WH-EAST",
            [
                ([*_order(5, 5), _shipment(5, 3), _level(5, 97, 500)], 97, 2),
                ([_level(5, 95, 2005)], 95, 2),
                ([_shipment(5, 5, modified=CHANGED, observed=SEEN)], 95, 0),
                ([], 95, 0),
            ],
        ),
        "a raised shipment whose time stood still": Story(
            "WH-EAST",
            [
                ([*_order(6, 5), _shipment(6, 3), _level(6, 97, 500)], 97, 2),
                ([_level(6, 97, 2005)], 97, 2),
                # Nothing says when it changed: a level that was read before the news may lack it, and is taken to.
                ([_shipment(6, 5, observed=SEEN)], 95, 0),
                ([_level(6, 95, 2020)], 95, 0),
            ],
        ),
        "a receipt": _came_in(7, "ItemRcpt"),
        "a credit": _came_in(8, "CustCred"),
        "an adjustment": _came_in(9, "InvAdjst"),
        "a line moved to another product": Story(
            "WH-EAST",
            [
                ([*_order(10, 5), _shipment(10, 5), _level(10, 95, 500)], 95, 0),
                ([_shipment(10, 5, of=11, modified=CHANGED, observed=SEEN)], 95, 5),
                ([_level(10, 100, 2020)], 100, 5),
                ([], 100, 5),
            ],
        ),
        "the product that the line is moved to": Story(
            "WH-EAST",
            [(_order(11, 5), 100, 5), ([], 95, 0), ([_level(11, 95, 2020)], 95, 0), ([], 95, 0)],
        ),
        "a change of nothing but a reference": Story(
            "WH-EAST",
            [
                ([*_order(12, 5), _shipment(12, 5), _level(12, 95, 500)], 95, 0),
                ([_shipment(12, 5, modified=CHANGED, observed=SEEN, order="#12")], 95, 0),
                ([_level(12, 95, 2020)], 95, 0),
                ([], 95, 0),
            ],
        ),
        "a till's adjustment": _elsewhere(
            "STORE-1",
            square_count("13", 100, at(0)),
            square_adjustment("A13", "13", -5, MOVED),
            square_adjustment("A13", "13", -2, MOVED),
        ),
        "a count that is taken back": Story(
            "STORE-1",
            [
                ([square_count("14", 100, at(0)), square_adjustment("A14", "14", -4, MOVED), counted], 30, 0),
                ([gone(counted, SEEN)], 96, 0),
                ([replace(counted, occurred_at=at(4000))], 30, 0),
                ([], 30, 0),
            ],
        ),
        "a warehouse's event": _elsewhere(
            "WH-WEST", shipbob_level(15, 100, at(0)), shipbob_event(15, 15, -5, MOVED), shipbob_event(15, 15, -2, MOVED)
        ),
        "a warehouse's event of two sides in one centre": Story(
            "WH-WEST", [([shipbob_level(16, 100, at(0)), _two_sided()], 98, 0), ([], 98, 0), ([], 98, 0), ([], 98, 0)]
        ),
    }


def _two_sided() -> Fact:
    event = shipbob_event(16, 16, -5, MOVED)
    payload = {**(event.payload or {}), "increment": {"facility_id": 101, "quantity_change": 3}}
    return replace(event, payload=payload)


STORIES = _stories()
LAST_STEP = 3


@dataclass(frozen=True)
class Outcome:
    """What lies and what is held, by step and product; and whether a rebuild gives the same tables in the end."""

    left: Mapping[tuple[int, int], tuple[int, int]]
    is_same_when_rebuilt: bool


@pytest.fixture(scope="module")
def outcome(postgres: EmbeddedPostgres, built_template: str) -> Iterator[Outcome]:
    with fresh_facts(postgres, built_template) as facts:
        found: dict[tuple[int, int], tuple[int, int]] = {}
        for number, story in enumerate(STORIES.values(), 1):
            item, sku = str(1000 + number), f"HV-{number:05d}"
            facts.land([netsuite_item(item, sku), shopify_variant(str(number), sku), square_item(str(number), sku)])
            facts.land([shipbob_product(number, sku)])
            if story.location == "WH-EAST":
                facts.land([netsuite_level(item, 100, at(0))])
        for step in range(LAST_STEP + 1):
            facts.land([fact for story in STORIES.values() for fact in story.steps[step][0]])
            facts.build()
            for number, story in enumerate(STORIES.values(), 1):
                found[step, number] = _left(facts, number, story.location)
        built = tables(facts)
        facts.build(is_full_refresh=True)
        yield Outcome(found, is_same_when_rebuilt=tables(facts) == built)


def _left(facts: Facts, number: int, location: str) -> tuple[int, int]:
    row = facts.row(
        "select on_hand_quantity, (select coalesce(sum(quantity), 0)::integer from canonical.reservations"
        " where sku = levels.sku and status = 'open') as held"
        " from canonical.stock_levels as levels where sku = %s and location_id = %s",
        (f"HV-{number:05d}", location),
    )
    return row["on_hand_quantity"], row["held"]


@pytest.mark.parametrize("name", STORIES)
def test_what_is_there_and_what_is_held_follow_a_movement(outcome: Outcome, name: str) -> None:
    """Lowered, raised, deleted, restored: never is a unit offered that an order needs, nor taken off twice for good."""
    number = list(STORIES).index(name) + 1
    steps = STORIES[name].steps
    assert [outcome.left[step, number] for step in range(LAST_STEP + 1)] == [(units, held) for _, units, held in steps]


def test_a_rebuild_gives_what_the_builds_gave_step_by_step(outcome: Outcome) -> None:
    """The tables are a function of what has landed."""
    assert outcome.is_same_when_rebuilt
