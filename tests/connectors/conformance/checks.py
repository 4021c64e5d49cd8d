"""What every writer of a channel's stock must do, as checks: the suite runs them, and shows that they bite."""

from collections.abc import Mapping

from tests.stock_changes import observed_units, stock_change

from trueup.connectors.base import Writer
from trueup.domain.changes import Outcome

FIELD = "available"


def check_write(writer: Writer, shown: Mapping[str, int]) -> None:
    """What was decided on what is shown is set, once, and read back."""
    refs = sorted(shown)[:3]
    changes = [stock_change("any", ref, shown[ref], shown[ref] + 3, field=FIELD) for ref in refs]

    receipts = writer.apply(changes)

    assert [receipt.key for receipt in receipts] == [change.key for change in changes]
    assert {receipt.outcome for receipt in receipts} == {Outcome.APPLIED}
    assert observed_units(writer, refs) == {ref: shown[ref] + 3 for ref in refs}
    again = writer.apply([stock_change("any", ref, shown[ref] + 3, shown[ref] + 3, field=FIELD) for ref in refs])
    assert {receipt.outcome for receipt in again} <= {Outcome.ALREADY_APPLIED, Outcome.APPLIED}


def check_fence(writer: Writer, shown: Mapping[str, int]) -> None:
    """What changed since the decision is not overwritten: a conflict, and the others of its batch are written."""
    stale, good = sorted(shown)[3:5]
    changes = [
        stock_change("any", stale, shown[stale] + 1, shown[stale] + 40, field=FIELD),
        stock_change("any", good, shown[good], shown[good] + 2, field=FIELD),
    ]

    receipts = writer.apply(changes)

    assert [receipt.outcome for receipt in receipts] == [Outcome.CONFLICT, Outcome.APPLIED]
    assert observed_units(writer, [stale, good]) == {stale: shown[stale], good: shown[good] + 2}


def check_rejections(writer: Writer, shown: Mapping[str, int], foreign: str) -> None:
    """One receipt for each, in order, whatever is wrong with some: unknown, elsewhere, below nothing, twice."""
    good = sorted(shown)[5]
    item, _, location = good.partition("|")
    changes = [
        stock_change("any", f"{item}9999999|{location}", 4, 9, field=FIELD),
        stock_change("any", good, shown[good], shown[good] + 1, field=FIELD),
        stock_change("any", f"{item}|{foreign}", 4, 9, field=FIELD),
        stock_change("any", sorted(shown)[6], shown[sorted(shown)[6]], -1, field=FIELD),
        stock_change("any", good, shown[good], shown[good] + 5, field=FIELD),
    ]

    receipts = writer.apply(changes)

    assert [receipt.key for receipt in receipts] == [change.key for change in changes]
    outcomes = [receipt.outcome for receipt in receipts]
    assert outcomes[0] in (Outcome.REJECTED, Outcome.CONFLICT)
    assert outcomes[1:4] == [Outcome.APPLIED, Outcome.REJECTED, Outcome.REJECTED]
    assert outcomes[4] in (Outcome.RETRY, Outcome.CONFLICT)
    assert observed_units(writer, [good]) == {good: shown[good] + 1}
