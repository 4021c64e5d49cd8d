"""The longest files of tests begin first, by what was measured."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.durations import PROJECT, known_durations, longest_first, read_reports


class Test:
    """As much of a collected test as has an order."""

    __test__ = False

    def __init__(self, path: str, name: str) -> None:
        self.path = PROJECT / path
        self.name = name


@pytest.mark.parametrize(
    ("durations", "order"),
    [
        ({"tests/a.py": 1.0, "tests/b.py": 9.5, "tests/c.py": 3.0}, "3 4 5 1 2"),
        ({"tests/a.py": 1.0, "tests/b.py": 9.5}, "5 3 4 1 2"),
        ({}, "1 2 3 4 5"),
    ],
)
def test_the_longest_file_is_first_and_one_never_measured_before_it(durations: Mapping[str, float], order: str) -> None:
    """Tests of one file share fixtures: they stay together, in their order."""
    items: list[Any] = [
        Test("tests/a.py", "1"),
        Test("tests/a.py", "2"),
        Test("tests/b.py", "3"),
        Test("tests/b.py", "4"),
        Test("tests/c.py", "5"),
    ]
    longest_first(items, durations)
    assert " ".join(item.name for item in items) == order


def test_a_report_is_added_up_by_file(tmp_path: Path) -> None:
    """Tests in classes too; those of a file that is gone are left out."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").touch()
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite><testcase classname="tests.test_a" name="x" time="1.26"/>'
        '<testcase classname="tests.test_a.TestB" name="x" time="2.5"/>'
        '<testcase classname="tests.test_gone" name="x" time="9"/></testsuite></testsuites>'
    )
    assert read_reports([report], tmp_path) == {"tests/test_a.py": 3.8}


def test_every_file_with_a_duration_is_there() -> None:
    """A file that moves takes its duration along, or it would count as never measured."""
    durations = known_durations()
    assert len(durations) > 50
    assert [path for path in durations if not (PROJECT / path).is_file()] == []
