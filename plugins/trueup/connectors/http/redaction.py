"""Keeps secrets out of what is written: messages, logs and exception chains."""

import base64
import html
import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

import orjson

from trueup.domain.connections import ConnectionDetails

_MASK = "***"
_SHORTEST = 4  # a shorter secret cannot be told from an ordinary word
_LONGEST_TEXT = 300
_LONGEST_READ = 100_000  # of a longer text only so much is looked at, and far less than that is shown
_SHORTEST_PACKED = 6  # a shorter piece of base64 stands in ordinary words

# What a connection's `extra` may hold that is no secret; everything else in it is treated as one.
_PLAIN_EXTRAS = frozenset(
    {
        "account_concurrency",
        "account_id",
        "algorithm",
        "allow_plain_http",
        "certificate_id",
        "channel_field",
        "company",
        "database",
        "points_per_second",
        "requests_per_minute",
        "scope",
        "time_zone",
        "version",
    }
)


class Redaction:
    """Knows every secret of one connection, with the tokens got in its name, and masks them in text."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._forms: tuple[str, ...] = ()
        self._known: frozenset[str] = frozenset()
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        """Learn further secrets, such as a token just granted."""
        found: set[str] = set()
        for secret in secrets:
            # A PEM key is never quoted whole, but one of its lines may be.
            pieces = [secret, *secret.splitlines()] if "\n" in secret else [secret]
            found |= {piece.strip() for piece in pieces}
        with self._lock:
            fresh = {text for text in found - self._known if len(text) >= _SHORTEST and not text.startswith("-----")}
            if fresh:
                self._known |= fresh
                forms = {form for text in fresh for form in _forms(text)}
                self._forms = tuple(sorted({*self._forms, *forms}, key=len, reverse=True))

    def clean(self, text: object) -> str:
        """Return `text` with every known secret masked in whatever form, cut to what a message may carry."""
        cleaned = str(text)
        is_cut = len(cleaned) > _LONGEST_READ
        forms = self._forms
        if is_cut:
            # The cut may go through a secret: what is left of it at the end is not shown.
            cleaned = cleaned[:_LONGEST_READ]
        for form in forms:
            if form in cleaned:
                cleaned = cleaned.replace(form, _MASK)
        if is_cut and forms:
            cleaned = cleaned[: max(0, len(cleaned) - len(forms[0]))]
        return cleaned if len(cleaned) <= _LONGEST_TEXT and not is_cut else cleaned[:_LONGEST_TEXT] + "..."


def _forms(secret: str) -> Iterator[str]:
    """Yield the secret as it may be written: plain, in URLs, in JSON and HTML, as hex and as base64."""
    yield secret
    quoted = (quote(secret, safe=""), quote(secret), quote_plus(secret))
    for text in (*quoted, *(quote(text, safe="") for text in quoted)):
        yield text
        yield _lower_escapes(text)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret)[1:-1].replace("/", "\\/")
    yield orjson.dumps(secret).decode()[1:-1]
    yield repr(secret)[1:-1]
    yield html.escape(secret)
    content = secret.encode()
    yield content.hex()
    yield content.hex().upper()
    for packed in _packed(content):
        yield packed
        yield packed.replace("+", "-").replace("/", "_")
        yield quote(packed, safe="")


def _packed(content: bytes) -> Iterator[str]:
    """Yield what base64 makes of it wherever it stands in a longer text, as in `login:secret`.

    Three bytes make four letters, so there are three ways; the letters that its neighbours share are left out.
    """
    for before, shared in ((0, 0), (1, 2), (2, 3)):
        packed = base64.b64encode(b"\0" * before + content).decode()
        end = (before + len(content)) * 8 // 6
        core = packed[shared:end]
        if len(core) >= _SHORTEST_PACKED:
            yield core


def _lower_escapes(text: str) -> str:
    first, *rest = text.split("%")
    return "%".join([first, *(each[:2].lower() + each[2:] for each in rest)])


def secrets_of(details: ConnectionDetails) -> tuple[str, ...]:
    """Return what must not be written: the password and whatever `extra` holds that is not known to be plain."""
    found = [details.password] if details.password else []
    found += _texts({name: value for name, value in details.extra.items() if name not in _PLAIN_EXTRAS})
    return tuple(found)


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for inner in value.values() for text in _texts(inner)]
    if isinstance(value, list | tuple):
        return [text for inner in value for text in _texts(inner)]
    return []
