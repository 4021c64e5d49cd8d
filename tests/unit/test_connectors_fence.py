"""The emulated compare-and-set: what may be sent, and that every correction gets exactly one receipt."""

from dataclasses import replace

import pytest
from tests.stock_changes import stock_change

from trueup.connectors.fence import CallReceipts, fenced, quantity, refuse_other_kinds
from trueup.domain.changes import Change, Operation, Outcome
from trueup.domain.values import Document, Quantity, Value


def correction(key: str, expected: int | None, target: int) -> Change:
    return stock_change("shop", "record", expected, target, key=key)


@pytest.mark.parametrize(
    ("expected", "shown", "outcome"),
    [
        (5, 5, None),
        (5, 4, Outcome.CONFLICT),
        (5, None, Outcome.CONFLICT),
        (None, None, None),
        (None, 4, Outcome.CONFLICT),
        (5, 9, Outcome.ALREADY_APPLIED),
        (9, 9, Outcome.ALREADY_APPLIED),
    ],
)
def test_only_what_shows_the_expected_value_is_sent(
    expected: int | None, shown: int | None, outcome: Outcome | None
) -> None:
    """An order taken since the decision changed what is shown: writing over it would sell those units again."""
    receipts = CallReceipts([correction("one", expected, 9)])

    to_send = fenced(receipts, {"one": quantity(shown)})

    if outcome is None:
        assert [each.key for each in to_send] == ["one"]
    else:
        assert to_send == []
        assert receipts.in_order()[0].outcome is outcome


def test_receipts_come_in_the_order_asked_whatever_order_they_were_written_in() -> None:
    """The corrector pairs them with its corrections one by one."""
    asked = [correction(key, 1, 2) for key in ("a", "b", "c")]
    receipts = CallReceipts(asked)
    receipts.record(asked[2], Outcome.APPLIED, "third", 200)
    receipts.record(asked[0], Outcome.REJECTED, "first")

    given = receipts.in_order()

    assert [receipt.key for receipt in given] == ["a", "b", "c"]
    assert [receipt.outcome for receipt in given] == [Outcome.REJECTED, Outcome.RETRY, Outcome.APPLIED]


def test_the_first_word_about_a_correction_stands() -> None:
    """What was refused before sending must not read as applied because its batch was."""
    asked = correction("a", 1, 2)
    receipts = CallReceipts([asked])
    receipts.record(asked, Outcome.REJECTED, "another location's")
    receipts.record(asked, Outcome.APPLIED, "in the batch")

    assert receipts.in_order()[0].outcome is Outcome.REJECTED


@pytest.mark.parametrize(
    ("operation", "desired", "is_sent"),
    [
        (Operation.SET, Quantity(9), True),
        (Operation.CREATE, Quantity(9), False),
        (Operation.TRANSITION, Quantity(9), False),
        (Operation.SET, Document.of({"order": 1}), False),
    ],
)
def test_a_writer_of_quantities_sends_nothing_else(*, operation: Operation, desired: Value, is_sent: bool) -> None:
    """An order written as if it were a quantity would set a stock level to something that nobody decided."""
    asked = replace(correction("one", 5, 9), operation=operation, desired=desired)
    receipts = CallReceipts([asked])

    refuse_other_kinds(receipts)

    assert receipts.open() == ([asked] if is_sent else [])
    assert is_sent or receipts.in_order()[0].outcome is Outcome.REJECTED
