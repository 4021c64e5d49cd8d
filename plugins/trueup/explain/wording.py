"""How moments, numbers and evidence are written for a person, the same in every explanation."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from trueup.domain.quantities import Quantity


def moment_text(moment: datetime | None) -> str:
    """The moment to the second, as the clock that told it had it."""
    return "unknown" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"


def number_text(value: Quantity) -> str:
    """The number as a person writes it: no zeros behind the point, no exponent."""
    return f"{Decimal(value).normalize():f}"


def evidence_text(evidence: Mapping[str, Any]) -> str:
    """The facts that a cause was concluded from, by name; empty where there are none."""
    return ", ".join(f"{name} {value}" for name, value in sorted(evidence.items()))
