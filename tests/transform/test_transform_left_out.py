"""What stands wrong of a workflow is built for those who have declared it, and for nobody else."""

import pytest
from tests.transform.transform_facts import Facts, Line, at, demo_tenant, netsuite_item, shopify_order, shopify_variant

from trueup.transform.project import project_folder
from trueup.transform.versions import models_of

_RELATIONS = ("reconciliation.order_differences", "outbox.order_changes", "staging.int_order_causes")


def is_made(facts: Facts) -> bool:
    """Whether the workflow's own tables and views are there."""
    rows = facts.rows(
        "select to_regclass(name) is not null as is_made from unnest(%s::text[]) as name", (list(_RELATIONS),)
    )
    assert len({row["is_made"] for row in rows}) == 1, "all of them or none"
    return bool(rows[0]["is_made"])


@pytest.fixture
def shop(facts: Facts) -> Facts:
    """A warehouse that knows one product and one order of it."""
    order = shopify_order("#1", [Line("1", 2)], at(10), ordered_at=at(0))
    facts.land([netsuite_item("1001", "HV-00001"), shopify_variant("1", "HV-00001"), order])
    return facts


def test_a_workflow_that_is_no_longer_declared_leaves_nothing_that_grows_old(shop: Facts) -> None:
    """A table that nobody keeps true would be read as the truth; declared again, all of it is computed at once."""
    declared = shop.configuration.orders
    shop.build()
    missing = shop.rows("select subject_key, difference_class from reconciliation.order_differences")
    assert [(row["subject_key"], row["difference_class"]) for row in missing] == [("shopify_main|#1", "missing")]

    shop.declare(demo_tenant(orders=None))
    shop.build()
    assert not is_made(shop)
    assert shop.row("select count(*) as n from canonical.orders")["n"] == 1, "canonical is everybody's"
    assert shop.build().status == "unchanged"

    shop.declare(demo_tenant(orders=declared))
    shop.build()
    assert is_made(shop)
    assert shop.rows("select subject_key, difference_class from reconciliation.order_differences") == missing


def test_models_of_a_folder_that_is_left_out_are_no_part_of_the_project() -> None:
    """Nor is anything made anew because one of them has changed."""
    connectors = ("netsuite", "shopify")
    whole = models_of(project_folder(), connectors)
    left = models_of(project_folder(), connectors, ("models/reconciliation/orders", "models/outbox/orders"))
    assert {"order_differences", "order_changes"} <= whole.keys() - left.keys()
    assert {"orders", "stock_differences", "stock_changes"} <= left.keys()
    assert {name: model.version for name, model in left.items()}.items() <= {
        name: model.version for name, model in whole.items()
    }.items()
