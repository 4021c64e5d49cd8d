"""What reaches what, as the models declare it, is closed: no change ends before the last table that it may concern."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from tests.transform.transform_facts import demo_tenant

from trueup.domain.connections import ConnectionDetails
from trueup.transform.dbt_session import DbtSession
from trueup.transform.project import project_folder, project_variables

# What a build gives, and no model touches.
GIVEN = {"landed", "swept", "build"}

Node = dict[str, Any]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Node]:
    """The models of dbt's manifest, by name. Reading the project makes no connection."""
    folder = tmp_path_factory.mktemp("dbt")
    nowhere = ConnectionDetails("nowhere", "nobody", "localhost", 5432, "nowhere", "nothing")
    DbtSession(nowhere, project_variables(demo_tenant()), project_folder(), folder).run("parse")
    nodes = json.loads((folder / "target" / "manifest.json").read_text())["nodes"].values()
    return {node["name"]: node for node in nodes if node["resource_type"] == "model"}


@pytest.fixture(scope="module")
def tables(models: dict[str, Node]) -> dict[str, Node]:
    """Those that builds keep up to date, by name, with what they declare."""
    return {name: node["meta"] for name, node in models.items() if node["config"]["materialized"] == "incremental"}


def _parents(models: dict[str, Node], name: str) -> list[str]:
    return [each.split(".")[-1] for each in models[name]["depends_on"]["nodes"] if each.startswith("model.")]


def _upstream(models: dict[str, Node], name: str) -> set[str]:
    return {found for parent in _parents(models, name) for found in (parent, *_upstream(models, parent))}


def _tables_read(models: dict[str, Node], name: str) -> Iterator[str]:
    """The tables that a model reads, itself or by views."""
    for parent in _parents(models, name):
        if models[parent]["config"]["materialized"] == "incremental":
            yield parent
        else:
            yield from _tables_read(models, parent)


def _signals(meta: Node) -> set[str]:
    """The kinds of keys that are touched where a row of the table has changed."""
    return {meta["recomputed_by"]["kind"], *meta.get("touches", {})} - {"landed"}


def _reaching(meta: Node) -> set[str]:
    """The kinds of keys that lead to the rows of the table by its own paths."""
    reaching = {meta["recomputed_by"]["kind"]}
    for path in reversed(meta.get("reached", [])):
        if path["to"] in reaching:
            reaching.add(path["from"])
    return reaching


def _paths(tables: dict[str, Node]) -> Iterator[tuple[str, Node]]:
    for name, meta in tables.items():
        for path in meta.get("reached", []):
            yield name, path


def _kinds(tables: Iterable[Node]) -> set[str]:
    return {kind for meta in tables for kind in _signals(meta)}


def test_every_table_says_what_it_is_recomputed_by(tables: dict[str, Node]) -> None:
    assert [name for name, meta in tables.items() if not meta.get("recomputed_by", {}).get("key")] == []


def test_every_kind_that_is_touched_is_used(models: dict[str, Node], tables: dict[str, Node]) -> None:
    """By a table after the one that touches it."""
    unused = [
        f"{name}: {kind}"
        for name, meta in tables.items()
        for kind in meta.get("touches", {})
        if not any(name in _upstream(models, user) and kind in _reaching(tables[user]) for user in tables)
    ]
    assert unused == []


def test_every_kind_that_is_used_is_produced_before(models: dict[str, Node], tables: dict[str, Node]) -> None:
    """By a table that it reads, or by an earlier path of its own."""
    unknown = []
    for name, meta in tables.items():
        known = GIVEN | _kinds(tables[each] for each in _upstream(models, name) if each in tables)
        for path in meta.get("reached", []):
            if path["from"] not in known:
                unknown.append(f"{name}: {path['from']}")
            known.add(path["to"])
        if meta["recomputed_by"]["kind"] not in known:
            unknown.append(f"{name}: {meta['recomputed_by']['kind']}")
    assert unknown == []


def test_every_path_leads_on(tables: dict[str, Node]) -> None:
    """To the kind that recomputes its model, in the order in which the paths stand."""
    lost = []
    for name, meta in tables.items():
        paths = meta.get("reached", [])
        for index, path in enumerate(paths):
            later = {own["from"] for own in paths[index + 1 :]} | {meta["recomputed_by"]["kind"]}
            if path["to"] not in later:
                lost.append(f"{name}: {path['from']} -> {path['to']}")
    assert lost == [], "\n".join(lost)


def test_no_step_on_the_way_is_of_a_kind_that_tables_touch(tables: dict[str, Node]) -> None:
    """A step is computed anew for each model: keys of its kind that were touched would be lost."""
    touched = _kinds(tables.values())
    mixed = [
        f"{name}: {path['to']}"
        for name, path in _paths(tables)
        if path["to"] in touched and path["to"] != tables[name]["recomputed_by"]["kind"]
    ]
    assert mixed == []


def test_every_path_says_how_one_key_leads_to_the_other(models: dict[str, Node], tables: dict[str, Node]) -> None:
    """Through a relation that is there before the model, or by being the same key."""
    wrong = []
    for name, path in _paths(tables):
        is_link = bool(path.get("through"))
        has_keys = bool(path.get("key")) and (bool(path.get("at")) or path["from"] == "build")
        read = [
            each for each in (path.get("through"), path.get("beside")) if each and each != "this" and "." not in each
        ]
        if is_link != has_keys or not set(read) <= _upstream(models, name):
            wrong.append(f"{name}: {path}")
    assert wrong == []


def test_no_change_of_a_table_is_lost_on_those_who_read_it(models: dict[str, Node], tables: dict[str, Node]) -> None:
    """Each table that a model reads has a way to its rows, unless it is read for rows that every build makes anew."""
    lost = []
    for name, meta in tables.items():
        before = [tables[each] for each in _upstream(models, name) if each in tables]
        lost += [
            f"{parent} -> {name}"
            for parent in _tables_read(models, name)
            if parent not in meta.get("evidence", []) and not _reached(_signals(tables[parent]), [*before, meta], meta)
        ]
    assert lost == [], "\n".join(lost)


def _reached(signals: set[str], before: list[Node], meta: Node) -> bool:
    """Whether these kinds lead to the table, by its own paths or by those of tables that are recomputed before it."""
    known = set(signals)
    while True:
        further = {each["recomputed_by"]["kind"] for each in before if known & _reaching(each)} - known
        if not further:
            return meta["recomputed_by"]["kind"] in known
        known |= further


def test_what_is_evidence_alone_is_read_for_rows_that_every_build_makes_anew(tables: dict[str, Node]) -> None:
    of_every_build = {name for name, path in _paths(tables) if path["from"] == "build" and path["through"] == "this"}
    assert {name for name, meta in tables.items() if meta.get("evidence")} <= of_every_build
