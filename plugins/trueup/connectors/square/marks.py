"""What Trueup writes into Square's free texts, so that it is known again: which units a refund was for.

Square's refund is of a payment and names no line. The units stand in its reason, before our id: "Returned: 2 of A.
Lines LINE1 x2 [refund id]". Of a reason nothing else is ever kept.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

_UNITS: Final = re.compile(r"(?:^| )Lines (?P<lines>\S+ x[1-9]\d{0,8}(?:, \S+ x[1-9]\d{0,8})*) \[[^\]]+\]$")


def units_text(units: Mapping[str, int]) -> str:
    """Return the units of a refund by line, as they stand in its reason; empty where it is of money alone."""
    return f"Lines {', '.join(f'{line} x{count}' for line, count in units.items())}" if units else ""


def units_in(reason: object) -> list[dict[str, Any]]:
    """Return the units that a reason of ours names, as they land; none where it is somebody else's."""
    found = _UNITS.search(reason) if isinstance(reason, str) else None
    if found is None:
        return []
    parts = (part.rpartition(" x") for part in found["lines"].split(", "))
    return [{"line_item_uid": line, "quantity": count} for line, _, count in parts]
