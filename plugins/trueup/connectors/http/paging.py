"""Reads lists page by page: by cursor or link, by offset, by page number; and ends those that do not end by themselves.

A page number that is ignored and a cursor that is always a fresh one look alike from here: the same records come again
and again. Cursors alone do not show it, the records do.

`what` names the list for whoever reads an error. What a vendor asks by and how it answers are arguments; how a list is
read so that nothing slips past unseen is here.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from trueup.connectors.http.answers import Answer
from trueup.contracts.values import json_text
from trueup.domain.errors import Transient

_MOST_REPEATED: Final = 3  # a list that changes while it is read may show a page again, not over and over
_MOST_EMPTY: Final = 50
_REFUSED: Final = 400


@dataclass(frozen=True, slots=True)
class PageRead:
    """One page of a list: the answer that brought it, its items as they came, and whether none follows."""

    answer: Answer
    items: Sequence[Any]
    is_last: bool


Items = Callable[[Answer], Sequence[Any]]
"""Takes the items from an answer; raises where there is no list, for unknown is not empty."""


def by_cursor(
    what: str, ask: Callable[[str | None], Answer], items: Items, onward: Callable[[Answer], str | None]
) -> Iterator[PageRead]:
    """Yield every page of a list whose answers tell what leads on: a cursor, or a link.

    `ask` gets None for the first page. It lets a 400 to what led on come back (`accept`): the list is then read again
    from the start. `onward` returns what leads to the next page, None after the last. `Transient` where the list goes
    in circles or refuses its own cursor.
    """
    token: str | None = None
    seen: set[str] = set()
    guard = PageGuard(what)
    while True:
        answer = ask(token)
        if token is not None and answer.status == _REFUSED:
            raise Transient(f"{what}: refused the cursor of its own last page; read again from the start")
        token = onward(answer)
        if token in seen:
            raise Transient(f"{what}: the same page was announced twice; read again from the start")
        found = items(answer)
        if token is not None:
            seen.add(token)
            guard.take(found)
        yield PageRead(answer, found, is_last=token is None)
        if token is None:
            return


def by_number(
    what: str,
    ask: Callable[[int], Answer],
    items: Items,
    is_last: Callable[[Answer, int], bool] = lambda _answer, _number: False,
    total: Callable[[Answer], int | None] = lambda _answer: None,
) -> Iterator[PageRead]:
    """Yield every page of a list that is asked for by page number, from 1 on.

    The list must be in an order in which what comes in goes to its end. `is_last` reads from the answer and the page's
    number that no page follows, where the vendor tells. A page shorter than the first is the last too, and an empty
    one: vendors may give fewer than asked for, but then always. `total` reads how many items there are, where the
    vendor tells: with so many the list is at its end; where they become fewer, one has slipped past unseen, so the read
    is given up (`Transient`).
    """
    number, full_page, seen = 1, 0, 0
    counted: int | None = None
    guard = PageGuard(what)
    while True:
        answer = ask(number)
        found = items(answer)
        now = total(answer)
        if counted is not None and now is not None and now < counted:
            raise Transient(f"{what}: the list changed while it was read; read again from the start")
        counted, seen = now, seen + len(found)
        full_page = full_page or len(found)
        is_end = len(found) < max(1, full_page) or is_last(answer, number) or (now is not None and seen >= now)
        if not is_end:
            guard.take(found)
        yield PageRead(answer, found, is_end)
        if is_end:
            return
        number += 1


def by_offset(
    what: str, ask: Callable[[int], Answer], items: Items, key: Callable[[Any], object], size: int
) -> Iterator[PageRead]:
    """Yield every page of a list that is asked for by offset, at most `size` items each; at least one page, if empty.

    Each page begins with the last item of the one before: where another stands there (by `key`), an item was deleted
    meanwhile and one has slipped past unseen, so the read is given up (`Transient`).
    """
    seen, last = 0, None
    while True:
        answer = ask(max(0, seen - 1))
        found = items(answer)
        is_last = len(found) < size
        if last is not None:
            if not found or key(found[0]) != last:
                raise Transient(f"{what}: the list changed while it was read; read again from the start")
            found = found[1:]
        yield PageRead(answer, found, is_last)
        if is_last:
            return
        seen += len(found)
        last = key(found[-1]) if found else last


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
        reported = item.get("id") if isinstance(item, Mapping) else item
        digest.update(json_text(item if reported is None else reported, is_sorted=True).encode() + b"\n")
    return digest.digest()
