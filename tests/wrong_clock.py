"""Shifts the clock of this process, for all of our own code."""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

_WALL_CLOCK = time.time
_DATETIME = datetime


class _AnyDatetime(type):
    """Every datetime is one of the shifted class too."""

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, _DATETIME)


def shift_clock(shift: timedelta, put: Callable[[Any, str, Any], None] = setattr) -> None:
    """Let everything here be so much later. `put` sets an attribute; pytest's puts the old one back in the end."""

    class Shifted(datetime, metaclass=_AnyDatetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:  # noqa: ANN401
            return _DATETIME.now(tz) + shift

        @classmethod
        def utcnow(cls) -> Any:  # noqa: ANN401
            return _DATETIME.now(UTC).replace(tzinfo=None) + shift

    for name, module in list(sys.modules.items()):
        if name.startswith("trueup.") and getattr(module, "datetime", None) is datetime:
            put(module, "datetime", Shifted)
    put(time, "time", lambda: _WALL_CLOCK() + shift.total_seconds())
    put(time, "time_ns", lambda: int((_WALL_CLOCK() + shift.total_seconds()) * 1e9))
