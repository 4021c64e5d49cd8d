"""Takes an answer's bytes apart within bounds: one compression only, and JSON in which one bad value costs one record.

orjson refuses a whole answer for a single NaN, half a character or number without end in it. What it refuses is read
again with care: what no JSON value can hold becomes a text with U+0000 in it, which no contract takes for anything
else and jsonb cannot keep, so the record it stands in is set aside and the others land.
"""

import json
import re
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from trueup.connectors.http.answers import TransportFailed

_PIECE = 1024 * 1024
_MOST_LEVELS = 100
_MOST_DIGITS = 40
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
ACCEPTED = "gzip"
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


class Undecodable(TransportFailed):
    """The answer's compression is broken."""


class NotAskedFor(Undecodable):
    """The answer is compressed in a way that was not asked for; so will the next one be."""


def decompressed(encoding: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the body in pieces of bounded size, whatever few bytes swell to. `encoding`: the Content-Encoding."""
    names = [name for each in encoding.split(",") if (name := each.strip().lower()) not in ("", "identity")]
    if not names:
        yield from pieces
        return
    if len(names) > 1 or names[0] not in ("gzip", "x-gzip", "deflate"):
        raise NotAskedFor(f"compressed as '{', '.join(names)[:60]}', which was not asked for")
    decoder = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        for piece in pieces:
            rest = piece
            while rest and not decoder.eof:
                yield decoder.decompress(rest, _PIECE)
                rest = decoder.unconsumed_tail
        yield decoder.flush()
    except zlib.error as error:
        raise Undecodable("compressed, and the compression is broken") from error


def decoded(content: bytes) -> tuple[Any, bool]:
    """Return the JSON and True; None and False where it is none. Nothing at all is None, and right."""
    if not content:
        return None, True
    try:
        value = orjson.loads(content)
        # It reads 1,024 levels and writes 254: what comes after may walk through all that is written.
        orjson.dumps(value)
    except (orjson.JSONDecodeError, TypeError):
        pass
    else:
        return value, True
    text = content.decode("utf-8", "surrogateescape")
    try:
        value = _read_with_care(text)
    except RecursionError:
        pass
    except ValueError:
        return None, False
    else:
        if _is_shallow(value):
            return value, True
    try:
        return _read_with_care(_flattened(text)), True
    except (ValueError, RecursionError):
        return None, False


def _read_with_care(text: str) -> Any:  # noqa: ANN401 - JSON
    return json.loads(text, parse_constant=_unreadable, parse_float=_number, parse_int=_whole_number)


def _unreadable(reported: str) -> str:
    return f"\x00{reported[:_MOST_DIGITS]}"


def _number(reported: str) -> float | str:
    value = float(reported)
    return _unreadable(reported) if value in (float("inf"), float("-inf")) else value


def _whole_number(reported: str) -> int | str:
    return int(reported) if len(reported) <= _MOST_DIGITS else _unreadable(reported)


def _is_shallow(value: object) -> bool:
    """Whether every step can walk through it; by level, since a walk into the depth is what may fail."""
    level: list[object] = [value]
    for _ in range(_MOST_LEVELS + 1):
        level = [
            part
            for each in level
            if isinstance(each, (dict, list))
            for part in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return True
    return False


def _flattened(text: str) -> str:
    """Put a text that jsonb cannot keep in the place of what is nested too deep to be read."""
    kept: list[str] = []
    level = copied = 0
    for token in _TOKENS.finditer(text):
        if token[0] in "[{":
            level += 1
            if level == _MOST_LEVELS + 1:
                kept += [text[copied : token.start()], r'"\u0000nested too deep"']
        elif token[0] in "]}":
            if level == _MOST_LEVELS + 1:
                copied = token.end()
            level -= 1
    if level > _MOST_LEVELS:
        return ""
    return "".join(kept) + text[copied:]
