"""The unit tests beside the models: each business rule on a few rows, through the same dbt session as a build."""

from pathlib import Path

import yaml
from tests.integration.transform_facts import Facts

from trueup.transform.dbt_session import DbtSession
from trueup.transform.project import project_folder, project_variables


def _declared() -> set[str]:
    """Every unit test that a file of the project declares, as dbt numbers its nodes."""
    found: list[str] = []
    for path in sorted((project_folder() / "models").rglob("*.yml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        found += [f"unit_test.trueup.{test['model']}.{test['name']}" for test in content.get("unit_tests", ())]
    assert len(found) == len(set(found)), "two unit tests of one model bear the same name"
    return set(found)


def test_every_dbt_unit_test_is_run_and_holds(facts: Facts, tmp_path: Path) -> None:
    """What ran is held against the files: where a selection matches nothing, dbt runs nothing and calls it a success.

    The warehouse has a build behind it, since dbt asks it for the columns of the models that a test stands in for.
    """
    declared = _declared()
    assert declared
    session = DbtSession(facts.details, project_variables(facts.configuration), project_folder(), tmp_path)
    run = session.run("test", ["--select", "test_type:unit"])
    failed = {result.node_id: result.message for result in run.results if result.status != "pass"}
    assert not failed, "\n\n".join(f"{node_id}: {message}" for node_id, message in failed.items())
    assert {result.node_id for result in run.results} == declared
    assert len(run.results) == len(declared)
