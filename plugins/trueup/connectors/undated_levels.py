"""Levels that tell no time of their own, read so that no movement which they hold is laid over them again.

`as_of` is a lower bound of when a level was true (a `Date` counts whole seconds), so a movement between the two is in
the level and yet seems to come after it. Such levels are not believed at once: what moved is looked up after the read,
and the items concerned are asked for again when the source's clock has gone on.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

Rows = Sequence[Mapping[str, Any]]
Read = tuple[datetime, Rows]
"""What one request brought, and the clock at which it was true at the latest."""

PAUSE_SECONDS = 1.1  # a `Date` header's second, and a little
_ATTEMPTS = 4
_LONGEST_READ = timedelta(days=1)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def read_undated(
    ask: Callable[[Collection[int] | None], Iterator[Read]],
    item_of: Callable[[Mapping[str, Any]], int | None],
    moved_after: Callable[[datetime], Mapping[int, datetime]],
    sleep: Callable[[float], None],
) -> Iterator[Read]:
    """Yield every level once, as certain as can be had.

    `ask` reads the levels of the given items, None for all that are wanted; `moved_after` gives the newest movement
    of each item that moved after a moment of the source's clock. An item that moves all the time is yielded as it was
    last read: understated by what moved in that second, until it is read again.
    """
    wanted: Collection[int] | None = None
    for attempt in range(1, _ATTEMPTS + 1):
        reads = list(ask(wanted))
        if not reads:
            return
        moved = moved_after(min(moment for moment, _ in reads))
        unconfirmed: set[int] = set()
        for moment, rows in reads:
            certain = []
            for row in rows:
                item = item_of(row)
                # A movement of tomorrow is none: believed, its item would be asked for again in every read.
                is_moved = moment < moved.get(item or 0, _LONG_AGO) <= moment + _LONGEST_READ
                if attempt < _ATTEMPTS and item is not None and is_moved:
                    unconfirmed.add(item)
                else:
                    certain.append(row)
            yield moment, certain
        if not unconfirmed:
            return
        wanted = unconfirmed
        sleep(PAUSE_SECONDS)
