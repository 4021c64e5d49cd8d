"""The writer over a vendor without compare-and-set: what becomes of a call that is refused whole."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

import pytest
from tests.stock_changes import stock_change

from trueup.connectors.fenced_writer import FencedWriter, Level, Sent
from trueup.domain.changes import Change, Outcome
from trueup.domain.values import Quantity

NOW = datetime(2026, 3, 2, tzinfo=UTC)


class RefusingShelf:
    """Every record shows 5. A call that carries one of `refused` is taken not at all."""

    batch_size = 100

    def __init__(self, refused: Collection[str], *, is_passing: bool = False) -> None:
        self._refused = set(refused)
        self._is_passing = is_passing
        self.calls: list[list[str]] = []

    def problem(self, change: Change) -> str | None:  # noqa: ARG002 - the protocol's shape
        return None

    def levels(self, record_refs: Collection[str]) -> Mapping[str, Level]:
        return {record_ref: Level(Quantity(5), NOW) for record_ref in record_refs}

    def send(self, changes: Sequence[Change], levels: Mapping[str, Level]) -> Sent:  # noqa: ARG002 - as above
        self.calls.append([change.record_ref for change in changes])
        is_refused = not self._refused.isdisjoint(self.calls[-1])
        return Sent(400 if is_refused else 200, "no such record" if is_refused else None, is_passing=self._is_passing)

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(("is_passing", "outcome"), [(False, Outcome.REJECTED), (True, Outcome.RETRY)])
def test_one_refused_change_takes_no_other_with_it(*, is_passing: bool, outcome: Outcome) -> None:
    """A record deleted at the vendor must not keep the whole shop's stock wrong, nor be sent without end."""
    shelf = RefusingShelf({"c"}, is_passing=is_passing)

    receipts = FencedWriter(shelf).apply([stock_change("shop", ref, 5, 9) for ref in "abcdefg"])

    expected = [outcome if ref == "c" else Outcome.APPLIED for ref in "abcdefg"]
    assert [receipt.outcome for receipt in receipts] == expected
    assert (receipts[2].detail, receipts[2].http_status) == ("no such record", 400)


def test_a_refused_batch_is_halved() -> None:
    """Of a thousand records one is wrong: found in twenty calls, not in a thousand that empty the vendor's quota."""
    shelf = RefusingShelf({"a"})

    FencedWriter(shelf).apply([stock_change("shop", ref, 5, 9) for ref in "abcdefgh"])

    assert [len(call) for call in shelf.calls] == [8, 4, 2, 1, 1, 2, 4]
