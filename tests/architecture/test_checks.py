"""Pre-commit and the forge's workflows run the project's own commands, from what is pinned."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pre_commit.clientlib import load_config

PROJECT = Path(__file__).resolve().parents[2]
MAKEFILE = (PROJECT / "Makefile").read_text(encoding="utf-8")
WORKFLOWS = sorted((PROJECT / ".github" / "workflows").glob("*.yml"))


def hooks() -> list[dict[str, Any]]:
    """Return the hooks as pre-commit reads them; it refuses a file that breaks its schema."""
    return [hook for repo in load_config(str(PROJECT / ".pre-commit-config.yaml"))["repos"] for hook in repo["hooks"]]


def test_a_hook_downloads_nothing() -> None:
    """Versions are those of the lock, and a commit works without a network."""
    configuration = load_config(str(PROJECT / ".pre-commit-config.yaml"))
    assert {repo["repo"] for repo in configuration["repos"]} == {"local"}
    # What the file calls `system`, pre-commit calls `unsupported` since 4.4: it makes no environment for it.
    assert {hook["language"] for hook in hooks()} == {"unsupported"}
    assert all(hook["entry"].startswith(".venv/bin/") for hook in hooks())


def test_a_hook_asks_what_make_lint_asks() -> None:
    """A commit that its hooks let pass is not refused later for its form."""
    recipes = re.findall(r"^lint-\w+:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    asked = set(re.findall(r"\$\(BIN\)/([\w-]+)", "".join(recipes)))
    assert {hook["entry"].split()[0].removeprefix(".venv/bin/") for hook in hooks()} == asked


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_an_action_is_pinned_by_its_commit(path: Path) -> None:
    """A tag can be moved to other code, which would run with this repository's token."""
    uses = re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))
    assert uses
    assert [used for used in uses if not re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", used)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_only_read_and_runs_commands_of_the_makefile(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    for job in workflow["jobs"].values():
        assert "permissions" not in job
        assert job["timeout-minutes"] > 0
        runs = [step["run"] for step in job["steps"] if step.get("run", "").startswith("make ")]
        assert runs
        assert {run.removeprefix("make ") for run in runs} <= targets
