"""JSON and text as PostgreSQL can keep them: jsonb has neither NUL nor lone surrogates, and vendors send both."""

import json
import math
import re
from collections.abc import Mapping

import orjson

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable_text(text: str) -> str:
    """The text with what PostgreSQL cannot keep replaced by U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)


def is_storable_text(text: str) -> bool:
    """Whether PostgreSQL can keep the text as it is."""
    return _UNSTORABLE.search(text) is None


def canonical_json(value: object) -> bytes | None:
    """JSON with sorted keys and no spaces, the same for equal values; None where jsonb could not keep it."""
    try:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        # Integers beyond 64 bits, which jsonb takes, or lone surrogates, which it does not.
        if not _is_storable(value):
            return None
        return _written_by_hand(value)
    # A NUL is written as its escape; the same letters also stand for an escaped backslash, so look closer. Looking for
    # the one letter first is ten times as fast, and most payloads have none.
    return None if b"\\" in text and b"\\u0000" in text and not _is_storable(value) else text


def storable_json(value: object) -> str:
    """JSON that jsonb takes whatever the strings hold: what it cannot keep is replaced by U+FFFD."""
    text = canonical_json(value)
    return (canonical_json(_storable(value)) or b"null").decode() if text is None else text.decode()


def _written_by_hand(value: object) -> bytes:
    finite = _finite(value)
    return json.dumps(finite, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str).encode()


def _finite(value: object) -> object:
    """The value with null for what is no number, as orjson writes it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return value


def _is_storable(value: object) -> bool:
    if isinstance(value, str):
        return is_storable_text(value)
    if isinstance(value, Mapping):
        return all(_is_storable(key) and _is_storable(each) for key, each in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(_is_storable, value))
    return True


def _storable(value: object) -> object:
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, Mapping):
        return {storable_text(str(key)): _storable(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_storable(each) for each in value]
    return value
