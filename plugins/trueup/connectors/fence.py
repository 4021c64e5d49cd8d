"""Compare-and-set where the vendor has none: what the channel shows is held against what was expected.

One receipt for each change, however it ends, in the order given.
"""

from collections.abc import Mapping, Sequence

from trueup.domain.changes import Change, Operation, Outcome, Receipt
from trueup.domain.errors import Permanent
from trueup.domain.values import Quantity, Value


class CallReceipts:
    """Collects the receipts of one call's changes."""

    def __init__(self, changes: Sequence[Change]) -> None:
        self._changes = tuple(changes)
        self._receipts: dict[str, Receipt] = {}

    def record(self, change: Change, outcome: Outcome, detail: str, http_status: int | None = None) -> None:
        """Write the change's receipt; the first one stands."""
        receipt = Receipt(change.key, outcome, http_status, detail)
        self._receipts.setdefault(change.key, receipt)

    def open(self) -> list[Change]:
        """The changes without a receipt, in order."""
        return [change for change in self._changes if change.key not in self._receipts]

    def record_open(self, outcome: Outcome, detail: str) -> None:
        """Write the same receipt for all that have none."""
        for change in self.open():
            self.record(change, outcome, detail)

    def in_order(self) -> list[Receipt]:
        """One for each change; that of a change without one says that it was not sent."""
        self.record_open(Outcome.RETRY, "not sent")
        return [self._receipts[change.key] for change in self._changes]


def fenced(receipts: CallReceipts, shown: Mapping[str, Value | None]) -> list[Change]:
    """Write the receipts of what must not or need not be sent, and return the rest.

    `shown`: by the change's key, what the channel shows now; None where it has no such record or no value.
    """
    to_send = []
    for change in receipts.open():
        value = shown.get(change.key)
        if value == change.desired:
            receipts.record(change, Outcome.ALREADY_APPLIED, f"it shows {value} already")
        elif value != change.expected:
            receipts.record(
                change, Outcome.CONFLICT, f"it shows {_in_words(value)}, expected was {_in_words(change.expected)}"
            )
        else:
            to_send.append(change)
    return to_send


def _in_words(value: Value | None) -> str:
    return "nothing" if value is None else str(value)


def desired_units(change: Change) -> int:
    """Units that a change of a quantity shall set; raises `Permanent` for another kind of value."""
    if not isinstance(change.desired, Quantity):
        raise Permanent(f"{change.capability} of {change.record_ref} carries {change.desired}, which is no quantity")
    return change.desired.units


def expected_units(change: Change) -> int | None:
    """Units that a change of a quantity expects to find, None where it expects nothing in particular."""
    return change.expected.units if isinstance(change.expected, Quantity) else None


def refuse_other_kinds(receipts: CallReceipts) -> None:
    """Reject what does not set a quantity: for a writer that can do nothing else."""
    for change in receipts.open():
        if change.operation is not Operation.SET or not isinstance(change.desired, Quantity):
            receipts.record(change, Outcome.REJECTED, f"only quantities are set here, not {change.capability}")


def quantity(units: int | None) -> Quantity | None:
    """The quantity of so many units; None for none."""
    return None if units is None else Quantity(units)
