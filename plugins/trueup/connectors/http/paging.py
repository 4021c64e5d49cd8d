"""Ends lists that do not end by themselves.

A page number that is ignored and a cursor that is always a fresh one look alike from here: the same records come again
and again. Cursors alone do not show it, the records do.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from trueup.domain.errors import Transient

_MOST_REPEATED: Final = 3  # a list that changes while it is read may show a page again, not over and over
_MOST_EMPTY: Final = 50


class PageGuard:
    """Watches one list. `what` names it for whoever reads the error."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._seen: set[bytes] = set()
        self._repeated = 0
        self._empty = 0

    def take(self, items: Sequence[Any]) -> None:
        """Take in a page that is said to be followed by another; `Transient` where the list goes in circles."""
        if not items:
            self._empty += 1
            if self._empty > _MOST_EMPTY:
                raise Transient(
                    f"{self._what}: {_MOST_EMPTY} empty pages in a row, each announcing another; read again, and"
                    " where it stays so ask the vendor"
                )
            return
        self._empty = 0
        digest = _digest(items)
        if digest not in self._seen:
            self._seen.add(digest)
            return
        self._repeated += 1
        if self._repeated >= _MOST_REPEATED:
            raise Transient(
                f"{self._what}: pages that were read already come again and again, so the list has no end; read again,"
                " and where it stays so ask the vendor"
            )


def _digest(items: Sequence[Any]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for item in items:
        # By its id where it has one: the same page may tell another time or counter each time.
        told = item.get("id") if isinstance(item, Mapping) else item
        digest.update(orjson.dumps(item if told is None else told, option=orjson.OPT_SORT_KEYS) + b"\n")
    return digest.digest()
