"""Compare-and-set where the vendor has none: what the channel shows is held against what was expected.

One receipt for each correction, however it ends, in the order given.
"""

from collections.abc import Mapping, Sequence

from trueup.domain.corrections import Correction, Outcome, Receipt


class Settlement:
    """Collects the receipts of one call's corrections."""

    def __init__(self, corrections: Sequence[Correction]) -> None:
        self._corrections = tuple(corrections)
        self._receipts: dict[str, Receipt] = {}

    def settle(self, correction: Correction, outcome: Outcome, detail: str, http_status: int | None = None) -> None:
        """Write the correction's receipt; the first one stands."""
        receipt = Receipt(correction.key, outcome, http_status, detail)
        self._receipts.setdefault(correction.key, receipt)

    def open(self) -> list[Correction]:
        """The corrections without a receipt, in order."""
        return [correction for correction in self._corrections if correction.key not in self._receipts]

    def settle_open(self, outcome: Outcome, detail: str) -> None:
        """Write the same receipt for all that have none."""
        for correction in self.open():
            self.settle(correction, outcome, detail)

    def receipts(self) -> list[Receipt]:
        """One a correction; what nobody settled was not sent."""
        self.settle_open(Outcome.RETRY, "not sent")
        return [self._receipts[correction.key] for correction in self._corrections]


def fenced(settlement: Settlement, shown: Mapping[str, int | None]) -> list[Correction]:
    """Settle what must not or need not be sent, and return the rest.

    `shown`: by the correction's key, what the channel shows now; None where it has no such record or no number.
    """
    to_send = []
    for correction in settlement.open():
        value = shown.get(correction.key)
        if value == correction.target:
            settlement.settle(correction, Outcome.ALREADY_APPLIED, f"it shows {value} already")
        elif value != correction.expected:
            settlement.settle(
                correction, Outcome.CONFLICT, f"it shows {_told(value)}, expected was {_told(correction.expected)}"
            )
        else:
            to_send.append(correction)
    return to_send


def _told(value: int | None) -> str:
    return "nothing" if value is None else str(value)
