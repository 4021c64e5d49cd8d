"""How big a world is and how lively. The defaults are the demo's."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from trueup.sandbox.clock import DEFAULT_START


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """`intensity` multiplies the demand. `wrong_share`: listings that are wrong when the world begins.

    `transactions`: a file of real transactions to replay instead of generated demand, `days` how many trading
    days of it.
    """

    seed: int = 1
    skus: int = 500
    intensity: float = 1.0
    wrong_share: float = 0.18
    start: datetime = DEFAULT_START
    transactions: Path | None = None
    days: int | None = None

    @property
    def begins_at(self) -> datetime:
        """The world's first second. A replay begins before its first customer, whatever the hour of `start`."""
        return self.start if self.transactions is None else self.start.replace(hour=6, minute=0, second=0)

    def changed(self, told: Mapping[str, Any]) -> "WorldSettings":
        """The settings with what JSON told; `ValueError` names an unknown key."""
        known = {item.name for item in fields(self)}
        if unknown := set(told) - known:
            raise ValueError(f"unknown settings {sorted(unknown)}; known: {sorted(known)}")
        values = dict(told)
        if isinstance(values.get("start"), str):
            values["start"] = datetime.fromisoformat(values["start"])
        if isinstance(values.get("transactions"), str):
            values["transactions"] = Path(values["transactions"])
        return replace(self, **values)
