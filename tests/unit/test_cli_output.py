"""What people and programs read: tables with a column for whatever any row has, and errors in one message."""

import json

import psycopg
import pytest
import typer

from trueup.cli.output import print_rows
from trueup.cli.session import reporting_errors


def test_rows_may_have_fields_that_others_lack(capsys: pytest.CaptureFixture[str]) -> None:
    """Corrections are counted by status, and a channel has only the statuses that came up."""
    print_rows("Counts", [{"channel": "a", "verified": 3}, {"channel": "b", "conflicted": 2}], "none")

    shown = capsys.readouterr().out
    assert "verified" in shown
    assert "conflicted" in shown
    assert [word in shown for word in ("3", "2")] == [True, True]


def test_a_warehouse_in_distress_is_one_readable_message(capsys: pytest.CaptureFixture[str]) -> None:
    """A traceback of psycopg's sends people to the code."""
    with pytest.raises(typer.Exit) as ended, reporting_errors(as_json=True):
        raise psycopg.errors.DiskFull
    assert ended.value.exit_code == 1
    printed = json.loads(capsys.readouterr().out)
    assert (printed["kind"], "make room on the disk" in printed["error"]) == ("transient", True)
