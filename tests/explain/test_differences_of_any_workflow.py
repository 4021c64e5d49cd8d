"""A second workflow's table of differences stands beside the first, and whoever reads one reads the other."""

import pytest
from tests.explain.audit_line import FACT, AuditLine, after

from trueup.domain.connections import ConnectionDetails
from trueup.explain.differences import DifferenceCount, count_differences, find_difference
from trueup.explain.trace import trace
from trueup.warehouse.connection import Role, connect


@pytest.fixture
def line(warehouse: ConnectionDetails) -> AuditLine:
    """A warehouse with one difference of stock and one of a price, whose table nobody has written a line for."""
    line = AuditLine(warehouse)
    line.whole_story()
    with connect(line.details, Role.TRANSFORMER) as connection:
        connection.execute(
            "create table reconciliation.price_differences (like reconciliation.stock_differences);"
            " alter table reconciliation.price_differences drop column shown_quantity, drop column target_quantity,"
            " drop column difference_quantity, add column price_list text"
        )
    line.add(
        "reconciliation.price_differences", subject_key="HV-00001", entity="price", target_system="shop",
        record_ref="gid://9", field="amount", shown={"amount_minor": 1999, "currency": "EUR"},
        desired={"amount_minor": 1799, "currency": "EUR"}, cause="edited", evidence={"by": "somebody"},
        detected_at=after(4), age_queue_seconds=7.0, correlation_id=FACT, price_list="summer",
    )  # fmt: skip
    return line


def test_they_are_counted_by_kind_target_and_cause(line: AuditLine) -> None:
    """Units are those of numbers; money is not added up with them."""
    with connect(line.details, Role.OPERATOR) as connection:
        assert count_differences(connection) == (
            DifferenceCount("price", "shop", "edited", 1, 0, after(4)),
            DifferenceCount("stock", "shop", "source_delay", 1, 5, after(3)),
        )


def test_one_is_found_by_what_it_is_about(line: AuditLine) -> None:
    """The same product may be shown wrong in two ways."""
    with connect(line.details, Role.OPERATOR) as connection:
        stock = find_difference(connection, "stock", "HV-00001", "shop")
        price = find_difference(connection, "price", "HV-00001", "shop")
        none = find_difference(connection, "price", "HV-00002", "shop")
    assert stock is not None
    assert (stock.quantity, stock.cause) == (5, "source_delay")
    assert price is not None
    assert (price.cause, price.evidence, price.age_queue_seconds) == ("edited", {"by": "somebody"}, 7.0)
    assert none is None


def test_a_trace_finds_both(line: AuditLine) -> None:
    """A fact may make more than one thing wrong."""
    found = {step.stage: step.text for step in trace(line.details, FACT).steps}
    assert found["reconciliation.price_differences"].startswith(
        "subject_key HV-00001, entity price, target_system shop"
    )
    assert "reconciliation.stock_differences" in found


def test_a_warehouse_without_any_table_has_no_difference(warehouse: ConnectionDetails) -> None:
    """Before the first build there is none."""
    with connect(warehouse, Role.OPERATOR) as connection:
        assert count_differences(connection) == ()
        assert find_difference(connection, "stock", "HV-00001", "shop") is None
