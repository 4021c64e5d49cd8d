"""What reading is alike for every vendor: the source's clock, the position of a poll, records from JSON."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec

from trueup.connectors.http.answers import Answer
from trueup.connectors.http.client import HttpClient
from trueup.contracts.values import NOT_OF_TYPE, json_text
from trueup.domain.errors import Permanent, Transient
from trueup.domain.records import Cursor, Page, Record

_SILENCE_SECONDS = 1.0
_QUIET_SECONDS = 0.05

SWEPT_HISTORY = timedelta(days=90)
"""How far back a sweep reads what happened: a longer history would make every sweep longer, for changes that move
nothing any more. A sweep concludes nothing about the first of these days, so that no difference of clocks, or of how a
vendor takes the boundary, makes a record seem to be gone."""
_BOUNDARY = timedelta(days=1)
_EARLIEST_YEAR = 1970
_LATEST_YEAR = 2200
_LONGEST_VERSION = 255
_BEYOND_IDS = 2**63

_ABSENT = object()

Key = TypeVar("Key", int, tuple[int, ...])

Damaged = tuple[str, str]
"""A piece that could not be read as a record at all, and the reason."""


class NoKey(ValueError):
    """A record has no key to be known by."""


def started_at(client: HttpClient, cheap_call: Callable[[], Answer]) -> datetime:
    """Return what the source's clock shows at the least, asking it something cheap where it has not told it just now.

    Reckoned over a longer silence it would still be true, but older than need be where the source's clock runs faster.
    """
    silence = client.seconds_since_reported()
    if silence is None or silence > _SILENCE_SECONDS:
        cheap_call()
    moment = client.source_time()
    if moment is None:
        raise Permanent(
            f"{client.system} (connection '{client.conn_id}') answers without a Date header, so nothing tells how old"
            " its figures are; let the proxy in between pass it on"
        )
    return moment


def as_of(answer: Answer, at_the_least: datetime) -> datetime:
    """Return the source's clock when the answer was asked for; `at_the_least` where the answer tells none.

    Not the later of the two: the read's start is reckoned with our seconds, and a source may have been paused.
    """
    return at_the_least if answer.as_of is None else answer.as_of


class ReadClock:
    """The source's clock over one read: when it began, and what each answer shows.

    The first answer's clock is the start, so that nothing is reckoned where the source can be heard.
    """

    def __init__(self, client: HttpClient, cheap_call: Callable[[], Answer]) -> None:
        self._client = client
        self._cheap_call = cheap_call
        self._reckoned = started_at(client, cheap_call)
        self._start: datetime | None = None

    def listen(self) -> None:
        """Hear the clock anew where the source has been silent; what is asked next is then dated as late as can be."""
        silence = self._client.seconds_since_reported()
        if silence is None or silence > _QUIET_SECONDS:
            self._cheap_call()

    def at(self, answer: Answer) -> datetime:
        """Return the clock at which everything in the answer was true, never later than the truth."""
        moment = as_of(answer, self._reckoned)
        if self._start is None:
            self._start = moment
        return moment

    @property
    def start(self) -> datetime:
        """When the read began."""
        return self._reckoned if self._start is None else self._start


def position(moment: datetime, **rest: object) -> Cursor:
    """Return the cursor of a stream that is polled by time: `moment` is the source's clock when the read began."""
    return {"since": moment.astimezone(UTC).isoformat(), **rest}


def polled_since(cursor: Cursor | None, overlap: timedelta) -> datetime | None:
    """Return from when to ask, None for everything.

    `overlap` goes back behind the cursor: vendors stamp a change before it can be seen.
    """
    reported = None if cursor is None else moment_or_none(cursor.get("since"))
    return None if reported is None else reported - overlap


def swept_since(start: datetime) -> datetime:
    """Return from when a sweep of what happened asks, for one that begins at `start`."""
    return start - SWEPT_HISTORY


def windowed(pages: Iterable[Page], asked_since: datetime) -> Iterator[Page]:
    """Yield a sweep's pages as what they are: all there is since `asked_since`, and nothing older."""
    for each in pages:
        yield replace(each, covers_since=asked_since + _BOUNDARY)


def rfc3339(moment: datetime) -> str:
    """Return the moment in UTC to the millisecond, as vendors take it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment_or_none(reported: object) -> datetime | None:
    """Return a vendor's timestamp as UTC, None where it is none: the contract, not the reader, refuses it.

    One before 1970 or after 2200 is none either: what is reckoned from it would leave the calendar.
    """
    if not isinstance(reported, str):
        return None
    try:
        parsed = msgspec.convert(reported, datetime)
    except NOT_OF_TYPE:
        return None
    if not _EARLIEST_YEAR <= parsed.year <= _LATEST_YEAR:
        return None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def text_or_none(value: object) -> str | None:
    """Return a version or name as text, None where there is none, or something else in its place."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value)
    return text if len(text) <= _LONGEST_VERSION and text.isprintable() else None


def key_of(*parts: object) -> str:
    """Join the parts of a key; `NoKey` where one is missing or cannot be told apart from the others."""
    for part in parts:
        if not isinstance(part, str | int) or isinstance(part, bool) or part == "":
            raise NoKey("a part of its key is missing or of another type")
        if len(parts) > 1 and "|" in str(part):
            raise NoKey("a part of its key holds the sign that parts its key")
    return "|".join(str(part) for part in parts)


def ids_of(items: Iterable[object], name: str = "id") -> tuple[list[int], bool]:
    """Return the numbers under `name`, and whether every item has one: more than 64 bits could not be asked for."""
    reported = [item.get(name) if isinstance(item, Mapping) else None for item in items]
    found = [
        each for each in reported if isinstance(each, int) and not isinstance(each, bool) and 0 < each < _BEYOND_IDS
    ]
    return found, len(found) == len(reported)


def texts_of(items: Iterable[object], name: str = "id") -> tuple[list[str], bool]:
    """Return the texts under `name`, and whether every item has one that an id can be."""
    reported = [item.get(name) if isinstance(item, Mapping) else None for item in items]
    found = [each for each in reported if isinstance(each, str) and 0 < len(each) <= _LONGEST_VERSION]
    return found, len(found) == len(reported)


def resume_after(keys: Sequence[Key], after: Key | None) -> Key | None:
    """Return the key behind which the next page is asked for, None where the page has none that leads on.

    `keys` in the order in which they came, which is ascending. Not the last one but the one before it: a last key that
    is wrong would skip everything between, and so it costs one record that comes twice.
    """
    rising: list[Key] = []
    for key in keys:
        if after is not None and key <= after:
            continue
        while rising and rising[-1] >= key:
            rising.pop()
        rising.append(key)
    return rising[-2] if len(rising) > 1 else rising[-1] if rising else None


def records(
    items: Iterable[object], describe: Callable[[Mapping[str, Any]], Record]
) -> tuple[list[Record], list[Damaged]]:
    """Turn a page's items into records; what has no key, or is no object, comes back as damaged with the reason."""
    found: list[Record] = []
    damaged: list[Damaged] = []
    for item in items:
        if not isinstance(item, Mapping):
            damaged.append((piece_of(item), "no record can be made of it: it is not an object"))
            continue
        try:
            found.append(describe(item))
        except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
            damaged.append((piece_of(item), f"no record can be made of it: {_in_words(error)}"))
    return found, damaged


def piece_of(item: object) -> str:
    """Return what came as JSON text, whatever it holds."""
    return json_text(item)


def _in_words(error: Exception) -> str:
    """Return why, in our own words only: those of others may quote what came."""
    if isinstance(error, NoKey):
        return str(error)
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return f"something in it is of another type ({type(error).__name__})"


def page(
    items: Iterable[object],
    describe: Callable[[Mapping[str, Any]], Record],
    moment: datetime,
    *,
    is_last: bool,
    cursor: Cursor | None = None,
    is_partial: bool = False,
) -> Page:
    """Make the page; the cursor is kept with the last one only, so that a read cut short is read again whole."""
    found, damaged = records(items, describe)
    return Page(
        records=found,
        as_of=moment,
        cursor=cursor if is_last else None,
        is_last=is_last,
        is_partial=is_partial,
        damaged=tuple(damaged),
    )


def only(item: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return the item's fields that are wanted: vendors send dozens that would land, and change, for nothing."""
    return {name: item[name] for name in names if name in item}


def within(value: object, *names: str) -> Any:  # noqa: ANN401 - whatever stands there
    """Return what stands in nested objects under the names, None where there is no such."""
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def items_of(answer: Answer, name: str, system: str, *, may_omit: bool = False) -> Sequence[Any]:
    """Return the list under `name`, or the answer itself where that is the list; null is an empty one, and so is a 204.

    `may_omit`: this vendor leaves an empty list out. Raises where there is none, for unknown is not empty.
    """
    if answer.is_empty:
        return []
    body = answer.body
    value = body.get(name, [] if may_omit else _ABSENT) if isinstance(body, Mapping) else body
    if isinstance(body, Mapping) and body.get("errors") and not body.get(name):
        raise Transient(f"{system} answered with errors instead of '{name}'; try again, then check its status page")
    if value is None and isinstance(body, Mapping):
        return []
    if not isinstance(value, list):
        raise Permanent(f"{system} answered without a list '{name}'; check the connection's host and version")
    return value


def onward(answer: Answer, name: str, system: str) -> str | None:
    """Return what leads to the next page, None after the last; raises where it is no text, for unknown is no end."""
    reported = answer.body.get(name) if isinstance(answer.body, Mapping) else None
    if reported is not None and not isinstance(reported, str):
        raise Transient(f"{system} answered with a '{name}' that is no text, so what follows is unknown; read again")
    return reported or None
