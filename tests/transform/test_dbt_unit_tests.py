"""The unit tests beside the models: each business rule on a few rows, through the same dbt session as a build.

dbt runs those that were asked for in one invocation; each of them is a test of its own here, under its own name.
"""

from collections import Counter
from collections.abc import Mapping

import pytest
import yaml
from tests.built_warehouse import fresh_facts
from tests.every_workflow import with_every_workflow

from trueup.dev.postgres import EmbeddedPostgres
from trueup.transform.dbt_session import DbtSession, NodeResult
from trueup.transform.project import project_folder, project_variables


def _declared() -> list[str]:
    """Every unit test that a file of the project declares, as `model.test`."""
    return [
        f"{test['model']}.{test['name']}"
        for path in sorted((project_folder() / "models").rglob("*.yml"))
        for test in yaml.safe_load(path.read_text(encoding="utf-8")).get("unit_tests", ())
    ]


DECLARED = _declared()


def _asked(request: pytest.FixtureRequest) -> set[str]:
    """The unit tests that this run of pytest is about."""
    items = (item for item in request.session.items if item.path == request.path and isinstance(item, pytest.Function))
    return {str(item.callspec.params["name"]) for item in items if hasattr(item, "callspec")} or set(DECLARED)


@pytest.fixture(scope="module")
def results(
    request: pytest.FixtureRequest,
    postgres: EmbeddedPostgres,
    built_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Mapping[str, NodeResult]:
    """How each unit test ended, from one run of dbt.

    The warehouse has a build behind it, since dbt asks it for the columns of the models that a test stands in for.
    """
    with fresh_facts(postgres, built_template) as facts:
        facts.declare(with_every_workflow(facts.configuration))
        facts.build()
        target = tmp_path_factory.mktemp("dbt")
        session = DbtSession(facts.details, project_variables(facts.configuration), project_folder(), target)
        asked = _asked(request)
        selected = ["test_type:unit"] if asked == set(DECLARED) else [name.partition(".")[2] for name in asked]
        run = session.run("test", ["--select", *selected])
    return {result.node_id.removeprefix("unit_test.trueup."): result for result in run.results}


@pytest.mark.parametrize("name", DECLARED)
def test_dbt(results: Mapping[str, NodeResult], name: str) -> None:
    """What was not run is missing here: a selection that matches nothing is a success to dbt."""
    assert name in results, f"dbt did not run {name}"
    assert results[name].status == "pass", results[name].message


def test_every_dbt_unit_test_has_its_own_name_and_nothing_else_ran(results: Mapping[str, NodeResult]) -> None:
    """Two of one name would hide each other."""
    assert DECLARED
    assert [name for name, count in Counter(DECLARED).items() if count > 1] == []
    assert results.keys() == set(DECLARED)
