"""Keeps secrets out of what is written: messages, logs and exception chains."""

import threading
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus

from trueup.domain.connections import ConnectionDetails

_MASK = "***"
_SHORTEST = 4  # a shorter secret cannot be told from an ordinary word
_LONGEST_TEXT = 300

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
        self._secrets: frozenset[str] = frozenset()
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        """Learn further secrets, such as a token just granted."""
        found: set[str] = set()
        for secret in secrets:
            # A PEM key is never quoted whole, but one of its lines may be.
            pieces = [secret, *secret.splitlines()] if "\n" in secret else [secret]
            for piece in pieces:
                text = piece.strip()
                if len(text) >= _SHORTEST and not text.startswith("-----"):
                    found |= {text, quote(text, safe=""), quote_plus(text)}
        with self._lock:
            self._secrets |= found

    def clean(self, text: object) -> str:
        """Return `text` with every known secret masked, cut to what a message may carry."""
        cleaned = str(text)
        for secret in sorted(self._secrets, key=len, reverse=True):
            cleaned = cleaned.replace(secret, _MASK)
        return cleaned if len(cleaned) <= _LONGEST_TEXT else cleaned[:_LONGEST_TEXT] + "..."


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
