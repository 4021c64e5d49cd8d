"""Each benchmark, small: nobody runs the long ones daily, and one that has broken is found when a figure is wanted.

What they say at this size is no figure; that they say it is. Airflow's needs an Airflow of its own for minutes: it is
the end-to-end tests that show its parts.
"""

from typing import Any

import pytest
from benchmarks import corrections, gates, landing, orders, publish

pytestmark = pytest.mark.server


def _are_figures(figures: dict[str, Any]) -> None:
    values = [value for value in figures.values() if not isinstance(value, dict)]
    assert values
    assert all(isinstance(value, int | float | str) for value in values)


def test_landing_is_measured_against_dlt_and_a_bare_copy() -> None:
    figures = landing.run(2_000, 1_000)
    _are_figures(figures)
    assert min(figures["first_sweep_seconds"], figures["bare_copy_seconds"], figures["dlt_seconds"]) > 0
    assert figures["flat_records"]["records"] == 1_000


def test_publishing_is_measured_full_changed_and_unchanged() -> None:
    figures = publish.run(500, 2)
    _are_figures(figures)
    assert 0 < figures["unchanged_publish_seconds"] < figures["full_publish_seconds"]
    assert figures["differences"] > 0


def test_reconciling_orders_is_measured_against_a_join_by_hand() -> None:
    """Both name the orders that were made wrong, also after some have changed."""
    figures = orders.run(1_000)
    _are_figures(figures)
    assert figures["differences"] == 1_000 // orders.WRONG_EVERY
    assert figures["differences_after_change"] == figures["differences"] + 1_000 // 100


def test_gates_are_measured_against_statements_by_hand() -> None:
    _are_figures(gates.run(5_000))


def test_corrections_are_measured_against_the_vendors_limit() -> None:
    _are_figures(corrections.run(1_000, 6.0))
