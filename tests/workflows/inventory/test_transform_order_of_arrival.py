"""The canonical tables are a function of the set of facts: not of their order, their repetition or their lateness.

Every history has a SKU of its own, so that one build decides hundreds of them.
"""

import random
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.built_warehouse import fresh_facts
from tests.scale import SCALE, scaled
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
    shopify_order,
    shopify_variant,
    square_adjustment,
    square_count,
    square_item,
    square_physical_count,
)
from tests.transform.transform_reference import Demand, Level, Movement, Version, held, on_hand

from trueup.dev.postgres import EmbeddedPostgres

HISTORIES = 510
PROVENANCE = "build_id, record_id, correlation_id, received_at"

_LEVELS = (
    "select sku, location_id, on_hand_quantity, damaged_quantity, quality_control_quantity, base_quantity,"
    " movement_quantity, as_of, source_system_id from canonical.stock_levels order by sku, location_id"
)
_RESERVATIONS = (
    "select reservation_id, channel, order_name, order_line_id, sku, location_id, quantity, ordered_at, status,"
    " released_reason, ordered_quantity, shipped_quantity, source_system_id from canonical.reservations"
    " order by reservation_id"
)
_MOVEMENTS = (
    "select movement_id, sku, location_id, kind, delta_quantity, counted_quantity, occurred_at, sequence"
    " from canonical.stock_movements order by movement_id"
)
_POSITIONS = (
    "select sku, channel, on_hand_quantity, reserved_quantity, free_quantity, unassigned_reserved_quantity,"
    " ats_quantity from marts.ats_positions order by sku, channel"
)
_TABLES = (_LEVELS, _RESERVATIONS, _MOVEMENTS, _POSITIONS)


@dataclass
class History:
    """What happened to one SKU, as facts to land and as what the reference reads."""

    sku: str
    facts: list[Fact] = field(default_factory=list)
    east_levels: list[Level] = field(default_factory=list)
    east_movements: list[Movement] = field(default_factory=list)
    store_levels: list[Level] = field(default_factory=list)
    store_movements: list[Movement] = field(default_factory=list)
    versions: list[Demand] = field(default_factory=list)
    copies: list[tuple[int, str, int]] = field(default_factory=list)
    shipments: list[tuple[str, int]] = field(default_factory=list)


def invent(number: int, dice: random.Random) -> History:
    """A history in coarse time, so that many things fall into one second."""
    history = History(f"HV-{number:05d}")
    item = str(1000 + number)
    moments = [0, 60, 120, 290, 300, 301, 600, 900]
    for _ in range(dice.randint(0, 3)):
        moment, quantity = dice.choice(moments), dice.randint(0, 30)
        history.east_levels.append(Level(moment, quantity))
        history.facts.append(netsuite_level(item, quantity, at(moment)))
    for index in range(dice.randint(0, 5)):
        moment, key = dice.choice(moments), number * 100 + index
        delta = dice.choice([-3, -1, 2, 5])
        later = _changes(dice, moment, has_modified=True)
        history.east_movements.append(Movement(moment, key, str(key), delta, later=later))
        first = netsuite_movement(key, item, delta, at(moment))
        history.facts += [first, *(_netsuite_again(first, key, item, moment, version) for version in later)]
    for _ in range(dice.randint(0, 2)):
        moment, quantity = dice.choice(moments), dice.randint(0, 30)
        history.store_levels.append(Level(moment, quantity))
        history.facts.append(square_count(str(number), quantity, at(moment)))
    for index in range(dice.randint(0, 4)):
        moment, reference = dice.choice(moments), f"C{number:06d}{index}"
        if dice.random() < 0.4:
            counted = dice.randint(0, 30)
            history.store_movements.append(Movement(moment, 0, reference, counted=counted))
            history.facts.append(square_physical_count(reference, str(number), counted, at(moment)))
        else:
            delta = dice.choice([-2, -1, 1, 4])
            later = _changes(dice, moment, has_modified=False)
            history.store_movements.append(Movement(moment, 0, reference, delta, later=later))
            first = square_adjustment(reference, str(number), delta, at(moment))
            history.facts.append(first)
            for version in later:
                again = square_adjustment(reference, str(number), version.delta or 1, at(moment))
                observed = at(version.observed)
                history.facts.append(replace(again, occurred_at=observed) if version.delta else gone(first, observed))
    if dice.random() < 0.7:
        _order(history, number, item, dice)
    return history


def _changes(dice: random.Random, moment: int, *, has_modified: bool) -> tuple[Version, ...]:
    """What the movement says later, if anything; 0 units are a movement that is gone."""
    observed = sorted(
        dice.sample([moment + 30, moment + 200, moment + 350, moment + 700], dice.choice([0, 0, 0, 1, 2]))
    )
    changes = []
    for seen in observed:
        delta = dice.choice([-4, -3, -1, 0, 0, 2, 6])
        modified = dice.choice([None, seen - 20, seen - 150]) if has_modified and delta else None
        changes.append(Version(seen, delta, modified))
    return tuple(changes)


def _netsuite_again(first: Fact, key: int, item: str, moment: int, version: Version, **reported: Any) -> Fact:  # noqa: ANN401 - what netsuite_movement takes
    if not version.delta:
        return gone(first, at(version.observed))
    modified = None if version.modified is None else at(version.modified)
    return netsuite_movement(
        key, item, version.delta, at(moment), modified=modified, observed=at(version.observed), **reported
    )


def _order(history: History, number: int, item: str, dice: random.Random) -> None:
    """A store's order in several versions, its copy in the ERP and what was shipped for it."""
    name, quantity = f"#{number}", dice.randint(1, 6)
    removed = 0
    for version in range(dice.randint(1, 3)):
        removed = min(quantity, removed + dice.choice([0, 0, 1]))
        is_cancelled = version == 2 and dice.random() < 0.5
        moment = 100 * version
        history.versions.append(Demand(moment, quantity - removed, is_cancelled))
        history.facts.append(
            shopify_order(
                name,
                [Line(str(number), quantity, removed=removed)],
                at(moment),
                ordered_at=at(0),
                is_cancelled=is_cancelled,
            )
        )
    if dice.random() < 0.6:
        history.copies.append((0, "WH-EAST", quantity))
        history.facts.append(
            netsuite_order(
                500_000 + number, item, quantity, at(50), transaction=str(number), order=name, channel="shopify_main"
            )
        )
        left = quantity
        for index in range(dice.randint(0, 2)):
            units = dice.randint(0, left)
            if units:
                left -= units
                moment, key = dice.choice([290, 600]), number * 100 + 50 + index
                later = tuple(
                    replace(version, delta=-min(abs(version.delta), units))
                    for version in _changes(dice, moment, has_modified=True)
                )
                shipment = Movement(moment, key, str(key), -units, later=later)
                history.shipments.append(("WH-EAST", -shipment.now))
                history.east_movements.append(shipment)
                reported: dict[str, Any] = {
                    "kind": "ItemShip",
                    "order": name if dice.random() < 0.5 else None,
                    "created_from": str(number),
                }
                first = netsuite_movement(key, item, -units, at(moment), **reported)
                history.facts += [
                    first, *(_netsuite_again(first, key, item, moment, version, **reported) for version in later)
                ]  # fmt: skip


def identities(histories: list[History]) -> list[Fact]:
    """The products of these histories in every system."""
    found = []
    for number, history in enumerate(histories):
        found += [
            netsuite_item(str(1000 + number), history.sku),
            shopify_variant(str(number), history.sku),
            square_item(str(number), history.sku),
        ]
    return found


def tables(facts: Facts) -> list[list[dict[str, object]]]:
    """What must be the same."""
    return [facts.rows(query) for query in _TABLES]


@given(seed=st.integers(min_value=0, max_value=2**32))
@scaled
@settings(
    max_examples=SCALE,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # a smaller seed is no simpler history
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@pytest.mark.timeout(600)
def test_any_order_of_arrival_gives_the_same_tables(postgres: EmbeddedPostgres, built_template: str, seed: int) -> None:
    """Permuted, repeated, late and in pieces; against all at once, against a rebuild, and against plain Python."""
    dice = random.Random(seed)
    histories = [invent(number, dice) for number in range(HISTORIES)]
    every = [*identities(histories), *(fact for history in histories for fact in history.facts)]
    with fresh_facts(postgres, built_template) as piecemeal, fresh_facts(postgres, built_template) as at_once:
        shuffled = [*every, *dice.sample(every, len(every) // 5)]
        dice.shuffle(shuffled)
        cuts = sorted(dice.sample(range(len(shuffled)), 2))
        for begin, end in zip([0, *cuts], [*cuts, len(shuffled)], strict=True):
            piecemeal.land(shuffled[begin:end])
            piecemeal.build()
        dice.shuffle(every)
        at_once.land(every)
        at_once.build()
        built = tables(piecemeal)
        assert built == tables(at_once)
        piecemeal.build(is_full_refresh=True)
        assert built == tables(piecemeal)
        _compare_with_reference(piecemeal, histories)


def _compare_with_reference(facts: Facts, histories: list[History]) -> None:
    levels = {(row["sku"], row["location_id"]): row["on_hand_quantity"] for row in facts.rows(_LEVELS)}
    open_units = {
        (row["sku"], row["location_id"]): row["quantity"]
        for row in facts.rows(_RESERVATIONS)
        if row["status"] == "open"
    }
    for history in histories:
        assert levels.get((history.sku, "WH-EAST")) == on_hand(history.east_levels, history.east_movements), history
        assert levels.get((history.sku, "STORE-1")) == on_hand(history.store_levels, history.store_movements), history
        if history.versions:
            expected = held(history.versions, history.copies, history.shipments)
            found = {place: units for (sku, place), units in open_units.items() if sku == history.sku}
            assert found == expected, history
