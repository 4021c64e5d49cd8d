"""Tables for people: a column for whatever any row has."""

import pytest

from trueup.cli.output import print_rows


def test_rows_may_have_fields_that_others_lack(capsys: pytest.CaptureFixture[str]) -> None:
    """Corrections are counted by status, and a channel has only the statuses that came up."""
    print_rows("Counts", [{"channel": "a", "verified": 3}, {"channel": "b", "conflicted": 2}], "none")

    shown = capsys.readouterr().out
    assert "verified" in shown
    assert "conflicted" in shown
    assert [word in shown for word in ("3", "2")] == [True, True]
