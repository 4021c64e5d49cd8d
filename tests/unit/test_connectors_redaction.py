"""A secret is masked in whatever form it is written."""

import base64
import html
import json
import re
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trueup.connectors.http.redaction import Redaction

SECRET = 'kanarie/client "secret"+é&a8f0?~'


def packed(before: str = "", after: str = "", *, is_url_safe: bool = False) -> Callable[[str], str]:
    def pack(secret: str) -> str:
        content = (before + secret + after).encode()
        return (base64.urlsafe_b64encode if is_url_safe else base64.b64encode)(content).decode()

    return pack


FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "base64": packed(),
    "base64 without padding": lambda secret: packed()(secret).rstrip("="),
    "base64 for urls": packed(is_url_safe=True),
    "basic of a short login": packed("u:"),
    "basic of a login": packed("user:"),
    "basic of another login": packed("someone:", is_url_safe=True),
    "base64 in a longer text": packed('{"client_secret":"', '","scope":"all"}'),
    "base64 in a url": lambda secret: quote(packed()(secret), safe=""),
    "hex": lambda secret: secret.encode().hex(),
    "hex in capitals": lambda secret: secret.encode().hex().upper(),
    "url": lambda secret: quote(secret, safe=""),
    "url with slashes": quote,
    "url in small letters": lambda secret: re.sub("%..", lambda escape: escape.group().lower(), quote(secret, safe="")),
    "form": quote_plus,
    "url twice": lambda secret: quote(quote(secret, safe=""), safe=""),
    "form twice": lambda secret: quote(quote_plus(secret), safe=""),
    "json": lambda secret: orjson.dumps(secret).decode()[1:-1],
    "json in ascii": lambda secret: json.dumps(secret)[1:-1],
    "json of php": lambda secret: json.dumps(secret)[1:-1].replace("/", "\\/"),
    "python": lambda secret: repr(secret)[1:-1],
    "html": html.escape,
}


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_masked_in_every_form(form: str) -> None:
    """Vendors quote what they were sent, and proxies quote the headers."""
    written = FORMS[form](SECRET)
    said = Redaction([SECRET]).clean(f"they said: {written}, and no more")

    assert said.startswith("they said: ")
    assert said.endswith(", and no more")
    assert "***" in said
    # What is left at its ends belongs to its neighbours.
    assert written[len(written) // 3 : 2 * len(written) // 3] not in said


@settings(max_examples=50, deadline=None)
@given(st.text(min_size=9, max_size=60), st.binary(max_size=7), st.binary(max_size=7))
def test_base64_is_masked_wherever_the_secret_stands_in_it(secret: str, before: bytes, after: bytes) -> None:
    """Neighbours share letters with it: only those are left."""
    secret = secret.strip()
    if len(secret) < 9 or secret.startswith("-----") or "\n" in secret:
        return
    written = base64.b64encode(before + secret.encode("utf-8", "replace") + after).decode()

    assert "***" in Redaction([secret.encode("utf-8", "replace").decode()]).clean(written)


def test_the_end_of_a_text_that_is_cut_shows_no_half_of_a_secret() -> None:
    secret = "a-very-secret-text-" * 10
    for before in range(280, 320):
        assert "a-very" not in Redaction([secret]).clean("x" * before + secret)
    assert "a-very" not in Redaction([secret]).clean("y" * (100_000 - 50) + secret * 3)
    assert "a-very" not in Redaction([secret]).clean(secret * 1_000)


def test_ordinary_words_stay() -> None:
    said = "Shop (connection 'shop'), POST /token: 400 (invalid_client); renew the client id"

    assert Redaction([SECRET, "abcd"]).clean(said) == said
