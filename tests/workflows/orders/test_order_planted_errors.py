"""Whatever is planted in a month of orders is found with its class and its cause; in a clean month there is nothing.

Thirteen ways in which an order goes wrong, among orders that were edited, refunded, reduced or cancelled and are right.
"""

import random
from collections import Counter
from collections.abc import Iterable

import pytest
from tests.built_warehouse import fresh_facts
from tests.transform.transform_facts import Fact, Facts
from tests.workflows.orders.order_month import PLANTED, booking_tenant, clean_orders, planted_orders, products

from trueup.contracts.check import examine
from trueup.contracts.loader import load_contract
from trueup.dev.postgres import EmbeddedPostgres

_FOUND = "select subject_key, difference_class, cause, waits_for from reconciliation.order_differences order by 1"
_CONTRACTS = {"netsuite": load_contract("netsuite", "orders"), "shopify": load_contract("shopify", "orders")}


def keep_contracts(facts: Iterable[Fact]) -> None:
    """No record of the month is one that landing would refuse."""
    for fact in facts:
        contract = _CONTRACTS[fact.system_id.split("_")[0]]
        assert examine(contract.fields, fact.payload).problems == [], fact


def differences(facts: Facts) -> dict[str, tuple[str, str, str | None]]:
    """Class, cause and what it waits for, by order."""
    return {row["subject_key"]: (row["difference_class"], row["cause"], row["waits_for"]) for row in facts.rows(_FOUND)}


@pytest.mark.parametrize(
    ("count", "each"),
    [
        pytest.param(800, 4, id="short"),
        pytest.param(20_000, 50, id="month", marks=[pytest.mark.nightly, pytest.mark.timeout(1800)]),
    ],
)
def test_every_planted_error_is_found_with_its_cause(
    postgres: EmbeddedPostgres, built_template: str, count: int, each: int
) -> None:
    """None in the clean month; then each of the planted, and no other; a rebuild says the same."""
    dice = random.Random(8)
    clean, (planted, errors) = clean_orders(count, dice), planted_orders(count + 1, each, dice)
    keep_contracts([*clean[:500], *planted[:500]])
    with fresh_facts(postgres, built_template) as facts:
        facts.declare(booking_tenant())
        facts.land([*products(), *clean])
        facts.build()
        assert differences(facts) == {}
        facts.land(planted)
        facts.build()
        found = differences(facts)
        facts.build(is_full_refresh=True)
        assert differences(facts) == found
    assert len(errors) == len(PLANTED) * each
    assert found.keys() == errors.keys()
    wrong = Counter(
        (error, found[order_id])
        for order_id, error in errors.items()
        if found[order_id] != (error.difference_class, error.cause, error.waits_for)
    )
    assert wrong.total() <= len(errors) // 100, wrong
