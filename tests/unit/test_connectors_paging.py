"""Lists, however they are asked for: every item once, an end where there is one, and no end that is none."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from trueup.connectors.http.answers import Answer
from trueup.connectors.http.paging import PageRead, by_cursor, by_number, by_offset
from trueup.domain.errors import Transient

SIZE = 3


def answer(items: Sequence[Any], status: int = 200, **more: object) -> Answer:
    return Answer(status, {}, {"items": list(items), **more}, datetime(2026, 1, 1, tzinfo=UTC))


def items(reported: Answer) -> Sequence[Any]:
    found: Sequence[Any] = reported.body["items"]
    return found


def onward(reported: Answer) -> str | None:
    following: str | None = reported.body.get("next")
    return following


def cursor_list(everything: Sequence[Any]) -> Iterator[PageRead]:
    def ask(token: str | None) -> Answer:
        start = int(token or 0)
        end = start + SIZE
        return answer(everything[start:end], next=str(end) if end < len(everything) else None)

    return by_cursor("a list", ask, items, onward)


def numbered_list(everything: Sequence[Any]) -> Iterator[PageRead]:
    def ask(number: int) -> Answer:
        return answer(everything[(number - 1) * SIZE : number * SIZE])

    return by_number("a list", ask, items)


def counted_list(everything: Sequence[Any]) -> Iterator[PageRead]:
    def ask(number: int) -> Answer:
        return answer(everything[(number - 1) * SIZE : number * SIZE], total=len(everything))

    return by_number("a list", ask, items, total=lambda reported: int(reported.body["total"]))


def offset_list(everything: Sequence[Any]) -> Iterator[PageRead]:
    def ask(skip: int) -> Answer:
        return answer(everything[skip : skip + SIZE])

    return by_offset("a list", ask, items, lambda item: item, SIZE)


@pytest.mark.parametrize("length", range(11))
@pytest.mark.parametrize("read", [cursor_list, numbered_list, counted_list, offset_list])
def test_every_item_comes_once_and_one_page_is_the_last(
    read: Callable[[Sequence[Any]], Iterator[PageRead]], length: int
) -> None:
    """Also where nothing is there, and where the last page is full."""
    pages = list(read(list(range(length))))

    assert [item for page in pages for item in page.items] == list(range(length))
    assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]


def test_a_count_spares_the_question_behind_the_end() -> None:
    """Every poll of every list would pay for it."""
    assert len(list(counted_list(range(SIZE * 2)))) == 2


def test_a_cursor_that_is_refused_ends_nothing() -> None:
    def ask(token: str | None) -> Answer:
        return answer([1, 2], next="x") if token is None else answer([], status=400)

    with pytest.raises(Transient, match="refused the cursor of its own last page; read again"):
        list(by_cursor("a list", ask, items, onward))


def test_a_page_that_is_announced_twice_is_given_up() -> None:
    with pytest.raises(Transient, match="announced twice"):
        list(by_cursor("a list", lambda token: answer([token], next="same"), items, onward))


@pytest.mark.parametrize("item", ["half \ud800 a pair", 2**70, {"id": "half \ud800 a pair"}, {"b": [[2**70]]}])
def test_an_item_that_jsons_writers_refuse_is_one_like_any(item: object) -> None:
    """JSON's readers let it through: one of them would end the whole list."""
    assert [each for page in cursor_list([item, 1, 2, 3, 4, item]) for each in page.items] == [item, 1, 2, 3, 4, item]


def test_a_list_that_never_ends_is_given_up() -> None:
    """A page number that is ignored: the same page again and again."""
    with pytest.raises(Transient, match="again and again"):
        list(by_number("a list", lambda _: answer([1, 2, 3]), items))


def test_a_list_that_shrinks_while_it_is_read_is_given_up() -> None:
    """What was deleted shifts the rest forward: one has slipped over the edge of the page, unseen."""
    lengths = iter([7, 6, 6])

    def ask(number: int) -> Answer:
        length = next(lengths)
        return answer(range((number - 1) * SIZE, min(length, number * SIZE)), total=length)

    with pytest.raises(Transient, match="changed while it was read"):
        list(by_number("a list", ask, items, total=lambda reported: int(reported.body["total"])))


def test_an_offset_that_has_shifted_is_given_up() -> None:
    everything = list(range(8))

    def ask(skip: int) -> Answer:
        found = answer(everything[skip : skip + SIZE])
        everything.pop(0)
        return found

    with pytest.raises(Transient, match="changed while it was read"):
        list(by_offset("a list", ask, items, lambda item: item, SIZE))
