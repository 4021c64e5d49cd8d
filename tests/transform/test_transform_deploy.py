"""A deployment makes anew what has become another, and no decision is made twice for it."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.transform.transform_facts import Facts, at, netsuite_level
from tests.workflows.inventory.line_shop import COUNT, Shop, open_shop

from trueup.transform import build as build_module
from trueup.transform import plan as plan_module
from trueup.transform.dbt_session import DbtSession
from trueup.transform.plan import Plan
from trueup.transform.project import project_folder
from trueup.warehouse.connection import Warehouse

OIDS = """
    select c.relname, c.oid::bigint as oid from pg_class as c inner join pg_namespace as n on c.relnamespace = n.oid
    where n.nspname in ('staging', 'canonical', 'marts') and c.relkind = 'r'
"""
ALSO_TRUE = (r"select \* from final", "select * from final where true")
DECIDED = "select sku, facts_version, build_id from marts.ats_positions order by sku, channel"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of this test's own, which the builds run."""
    folder = tmp_path / "project"
    shutil.copytree(project_folder(), folder, ignore=shutil.ignore_patterns("target", "logs"))
    monkeypatch.setattr(build_module, "project_folder", lambda: folder)
    monkeypatch.setattr(plan_module, "project_folder", lambda: folder)
    return folder


@pytest.fixture
def shop(facts: Facts, project: Path) -> Iterator[Shop]:
    with open_shop(facts) as shop:
        yield shop


def _sub(path: Path, pattern: str, by: str) -> None:
    text = path.read_text()
    assert re.search(pattern, text)
    path.write_text(re.sub(pattern, by, text, count=1))


def _oids(facts: Facts) -> dict[str, int]:
    return {row["relname"]: row["oid"] for row in facts.rows(OIDS)}


def test_a_description_that_was_edited_builds_nothing(shop: Shop, project: Path) -> None:
    """Nor does it the minute after."""
    shop.publish()
    oids, decided = _oids(shop.facts), shop.facts.rows(DECIDED)
    assert shop.facts.build().status == "succeeded"  # what was proposed is news to the differences
    _sub(
        project / "models" / "canonical" / "inventory" / "stock_levels.yml",
        "What lies at a place",
        "What stands at a place",
    )
    for _ in range(2):
        assert shop.facts.build().status == "unchanged"
    assert (_oids(shop.facts), shop.facts.rows(DECIDED)) == (oids, decided)


def test_a_model_that_was_edited_is_made_anew_and_what_was_decided_stays(shop: Shop, project: Path) -> None:
    """A person said no; another spelling of the same rows is no reason to ask again. News is taken in beside it."""
    shop.guard(largest_share=0.01)
    held = shop.publish()
    (hold_id,) = [channel.hold_id for channel in held.channels if channel.hold_id is not None]
    from trueup.corrections.engine.holds import decide_hold

    decide_hold(shop.facts.details, hold_id, "rejected", "ann")
    assert shop.publish().proposed_count == 0
    oids, decided = _oids(shop.facts), shop.facts.rows(DECIDED)

    _sub(
        project / "models" / "intermediate" / "inventory" / "int_listings.sql",
        r"select \* from final",
        "select * from final where true",
    )
    shop.facts.land([netsuite_level("1001", 12, at(100))])
    report = shop.publish()

    assert report.proposed_count <= 1
    changed = {name for name, oid in _oids(shop.facts).items() if oids.get(name) != oid}
    assert changed == {"int_listings"}
    assert shop.facts.row("select on_hand_quantity from canonical.stock_levels where sku = 'HV-90001'") == {
        "on_hand_quantity": 12
    }
    assert [row for row in shop.facts.rows(DECIDED) if row["sku"] != "HV-90001"] == [
        row for row in decided if row["sku"] != "HV-90001"
    ]
    assert shop.facts.build().status in ("succeeded", "unchanged")
    assert shop.facts.row("select is_full from staging.build_state") == {"is_full": False}


@pytest.mark.parametrize("versions", ["noted", pytest.param("unknown", marks=pytest.mark.nightly)])
def test_the_deciding_table_itself_made_anew_keeps_its_decisions(shop: Shop, project: Path, versions: str) -> None:
    """Also where nobody noted what made it: in a warehouse of a Trueup before."""
    shop.publish()
    oids, decided = _oids(shop.facts), shop.facts.rows(DECIDED)
    _sub(
        project / "models" / "marts" / "inventory" / "ats_positions.sql",
        r"select \* from final",
        "select * from final where true",
    )
    if versions == "unknown":
        shop.facts.execute("update staging.build_state set model_versions = null")
    assert shop.facts.build().status == "succeeded"
    assert _oids(shop.facts)["ats_positions"] != oids["ats_positions"]
    assert (_oids(shop.facts)["stock_levels"] == oids["stock_levels"]) is (versions == "noted")
    assert [row["facts_version"] for row in shop.facts.rows(DECIDED)] == [row["facts_version"] for row in decided]
    assert shop.publish().proposed_count == 0
    count = "select count(*) as count from outbox.changes"
    assert shop.facts.row(count) == {"count": COUNT}


@pytest.mark.nightly
def test_a_column_that_was_added_is_there_afterwards(shop: Shop, project: Path) -> None:
    """On a table that dbt would refuse to change in place."""
    shop.publish()
    model = project / "models" / "intermediate" / "inventory" / "int_listings.sql"
    _sub(model, r"newest\.is_tracked,\n", "newest.is_tracked,\n        1 as one_more,\n")
    assert shop.facts.build().status == "succeeded"
    assert shop.facts.row("select distinct one_more from staging.int_listings") == {"one_more": 1}


def test_a_build_that_dies_between_the_passes_is_made_good(
    shop: Shop, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model is anew, what reads it is not yet."""
    shop.publish()
    decided = shop.facts.rows("select sku, target_quantity from marts.ats_positions order by 1, 2")
    _sub(
        project / "models" / "intermediate" / "inventory" / "int_source_stock.sql",
        r"select \* from final",
        "select * from final where true",
    )
    original: Callable[..., object] = build_module._pass

    def dying(connection: Warehouse, session: DbtSession, plan: Plan, each: build_module._Pass, run_id: str) -> object:
        if each.is_full and "int_source_stock" not in each.arguments:
            raise ZeroDivisionError
        return original(connection, session, plan, each, run_id)

    monkeypatch.setattr(build_module, "_pass", dying)
    with pytest.raises(ZeroDivisionError):
        shop.facts.build()
    monkeypatch.setattr(build_module, "_pass", original)
    assert shop.facts.build().status == "succeeded"
    assert shop.facts.rows("select sku, target_quantity from marts.ats_positions order by 1, 2") == decided
    assert shop.facts.build().status in ("succeeded", "unchanged")
    assert shop.facts.build().status == "unchanged"


def test_tables_that_are_made_anew_together_find_the_views_between_them(shop: Shop, project: Path) -> None:
    """A table that is dropped takes the views on it along, also those that another table to be made reads."""
    shop.publish()
    oids, decided = _oids(shop.facts), shop.facts.rows(DECIDED)
    _sub(project / "macros" / "ledger.sql", r"analyze", "analyze verbose")
    assert shop.facts.build().status == "succeeded"
    ours = {name for name in _oids(shop.facts) if _oids(shop.facts)[name] != oids[name]}
    assert {"int_order_lines", "int_owned_order_lines", "reservations", "int_listings", "ats_positions"} <= ours
    assert [row["facts_version"] for row in shop.facts.rows(DECIDED)] == [row["facts_version"] for row in decided]
