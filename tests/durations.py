"""How long each file of tests takes, kept in durations.json, so that the longest begin first.

    python -m tests.durations .trueup/tests.xml    # takes them from JUnit reports of pytest; `make durations` runs it

A long file begun last keeps one worker while the others idle. xdist's own order is by the number of tests in a file.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest

PROJECT = Path(__file__).resolve().parents[1]
KEPT = PROJECT / "tests" / "durations.json"


def known_durations() -> dict[str, float]:
    """Seconds by file, as its path from the project's folder."""
    durations: dict[str, float] = json.loads(KEPT.read_text())
    return durations


def longest_first(items: list[pytest.Item], durations: Mapping[str, float]) -> None:
    """Sort by file; within a file the order stays. A file that was never measured may be long: it goes before all."""

    def key(item: pytest.Item) -> float:
        path = item.path.relative_to(PROJECT) if item.path.is_relative_to(PROJECT) else item.path
        return -durations.get(path.as_posix(), float("inf"))

    items.sort(key=key)


def read_reports(reports: Iterable[Path], project: Path = PROJECT) -> dict[str, float]:
    """Seconds by file, in which the reports count each test with its fixtures."""
    found: defaultdict[str, float] = defaultdict(float)
    for report in reports:
        for case in ElementTree.parse(report).iter("testcase"):
            path = _file_of(case.attrib["classname"], project)
            if path is not None:
                found[path] += float(case.attrib["time"])
    return {path: round(seconds, 1) for path, seconds in sorted(found.items())}


def _file_of(name: str, project: Path) -> str | None:
    """Of `tests.unit.test_this.TestThat` the file; None where it is gone."""
    while name:
        path = f"{name.replace('.', '/')}.py"
        if (project / path).is_file():
            return path
        name = name.rpartition(".")[0]
    return None


def main(reports: list[Path]) -> None:
    """Keep what the reports say, and of other files that there are what was known."""
    kept = {path: seconds for path, seconds in known_durations().items() if (PROJECT / path).is_file()}
    durations = dict(sorted((kept | read_reports(reports)).items()))
    KEPT.write_text(json.dumps(durations, indent=2) + "\n")


if __name__ == "__main__":
    main([Path(each) for each in sys.argv[1:]])
