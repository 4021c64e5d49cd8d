"""Suites are written by people: what cannot be meant is refused, naming file, key and remedy."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from trueup.domain.errors import Permanent
from trueup.gates.suites import default_folder, load_suite, load_suites, suites_hash

RULE: dict[str, Any] = {
    "rule_id": "products.title_present",
    "type": "expect_column_values_to_not_be_null",
    "kwargs": {"column": "title"},
    "severity": "warning",
    "scope": "row",
    "owner": "stock-operations",
    "notes": "A product has a title.",
}
_NOTHING = {"entity": None, "subject": None, "target": None}
SUITE: dict[str, Any] = {
    "workflow": "any",
    "schema": "canonical",
    "table": "products",
    "description": "One row a SKU.",
    "key": ["sku"],
    "withholds": {"entity": None, "subject": "sku", "target": None},
    "build": "build_id",
    "quarantine": {"largest_share": 0.05, "applies_from": 20},
    "expectations": [RULE],
}


def _write(folder: Path, content: object, name: str = "any/products.yml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    return path


def _with_rule(**changes: object) -> dict[str, Any]:
    return SUITE | {"expectations": [RULE | changes]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (SUITE | {"qarantine": {}}, "qarantine: unknown key"),
        ({key: value for key, value in SUITE.items() if key != "key"}, "key: required and missing"),
        (_with_rule(severity="grave"), "expectations.0.severity"),
        (_with_rule(notes="no"), "expectations.0.notes"),
        (_with_rule(type="expect_column_values_to_be_unique"), "cannot validate a row"),
        (_with_rule(type="expect_column_values_to_be_telepathic"), "cannot validate a row"),
        (_with_rule(scope="table"), "cannot validate a table"),
        (_with_rule(kwargs={"column": "title", "mostly": 0.9}), "kwargs.mostly"),
        (_with_rule(baseline={"least_share": 0.5, "applies_from": 10}), "baseline: only"),
        (_with_rule(rule_id="title_present"), "expectations.0.rule_id"),
        (_with_rule(rule_id="items.title_present"), "must begin with 'products.'"),
        (SUITE | {"expectations": [RULE, RULE]}, "stands twice"),
        (SUITE | {"withholds": _NOTHING, "expectations": [RULE | {"severity": "critical"}]}, "cannot be quarantined"),
        (SUITE | {"derived": {"idle": "1"}}, "derived: nothing uses idle"),
        (SUITE | {"derived": {"title": "5 % 2"}}, "percent signs"),
        ("- a list", "keys and values at the top"),
        ("{", "not YAML"),
    ],
)
def test_a_mistake_is_named_with_its_file_and_key(tmp_path: Path, content: object, said: str) -> None:
    """Or a misspelt key would be a rule that never runs."""
    path = _write(tmp_path, content)
    with pytest.raises(Permanent) as refused:
        load_suite(path)
    assert str(path) in str(refused.value)
    assert said in str(refused.value)


def test_a_suite_stands_in_the_folder_of_its_workflow(tmp_path: Path) -> None:
    """The folder and the name are how people find the rules of a table."""
    path = _write(tmp_path, SUITE, "inventory/products.yml")
    with pytest.raises(Permanent, match=r"move it to expectations/any/products\.yml"):
        load_suite(path)


def test_all_mistakes_of_all_files_are_reported_at_once(tmp_path: Path) -> None:
    """One a run would be a long afternoon."""
    _write(tmp_path, SUITE | {"one": 1}, "any/products.yml")
    _write(tmp_path, SUITE | {"two": 2}, "inventory/products.yml")
    with pytest.raises(Permanent, match=r"(?s)one: unknown key.*two: unknown key"):
        load_suites(tmp_path)


def test_no_suites_at_all_is_refused(tmp_path: Path) -> None:
    """An empty folder gates nothing, which must not look like passing."""
    with pytest.raises(Permanent, match="nothing would be gated"):
        load_suites(tmp_path)


def test_the_hash_follows_the_rules_and_what_they_are_compared_with(tmp_path: Path) -> None:
    """Rows that passed other rules have not passed these."""
    path = _write(tmp_path, SUITE)
    before = suites_hash(tmp_path, {"channels": ["a"]})
    assert suites_hash(tmp_path, {"channels": ["a"]}) == before
    assert suites_hash(tmp_path, {"channels": ["a", "b"]}) != before
    path.write_text(path.read_text(encoding="utf-8") + "\n# a word\n", encoding="utf-8")
    assert suites_hash(tmp_path, {"channels": ["a"]}) != before


def test_every_rule_that_ships_has_an_owner_and_a_unique_id() -> None:
    """A verdict that nobody owns is read by nobody."""
    rules = [rule for suite in load_suites(default_folder()) for rule in suite.expectations]
    assert len({rule.rule_id for rule in rules}) == len(rules)
    assert {rule.owner for rule in rules} <= {"data-engineering", "finance-operations", "stock-operations"}
