"""An answer is read within bounds, and one value that is no JSON costs the record it stands in, not its page."""

import gzip
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trueup.connectors.http.answer_body import Undecodable, decoded, decompressed
from trueup.contracts.personal import clean_unknown
from trueup.warehouse.storable import canonical_json

MEBIBYTE = 1024 * 1024


@pytest.mark.parametrize(
    "bad",
    [
        b"NaN",
        b"-Infinity",
        b"1E+1000000",
        b"1e400",
        b"9" * 5000,
        b'"half a \\ud800 character"',
        b'"bytes \xff\xfe that are no UTF-8"',
        b"[" * 1500 + b"]" * 1500,
        b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    ],
    ids=["nan", "infinity", "bomb", "too great", "endless", "surrogate", "bytes", "nested", "nested far"],
)
def test_a_value_that_no_json_holds_costs_its_own_record(bad: bytes) -> None:
    """Orjson refuses the whole answer for it, and the stream would stand still."""
    started = time.monotonic()

    body, is_json = decoded(b'{"items": [{"id": 1, "x": ' + bad + b'}, {"id": 2, "x": "\xc3\xa4"}]}')

    assert is_json
    assert [item["id"] for item in body["items"]] == [1, 2]
    assert body["items"][1]["x"] == "ä"
    assert canonical_json(body["items"][0]) is None, "landing sets it aside"
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("content", [b"<html>", b'{"a": 1', b"{'a': 1}", b"\xff\xfe", b"[1,]", b"[" * 1500, b"1 2"])
def test_what_is_no_json_stays_none(content: bytes) -> None:
    """A proxy's error page is no record."""
    assert decoded(content) == (None, False)


def test_nothing_is_an_answer_too() -> None:
    """204, or a body of no bytes."""
    assert decoded(b"") == (None, True)


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=200, deadline=None)
@given(_json, _json)
def test_beside_something_unreadable_everything_reads_as_it_would_alone(before: object, after: object) -> None:
    """The careful reading must not be another reading."""
    text = b"[" + orjson.dumps(before) + b",NaN," + orjson.dumps(after) + b"]"

    assert decoded(text) == ([before, "\x00NaN", after], True)


def test_strings_that_look_like_brackets_are_no_nesting() -> None:
    """The depth is that of the JSON, not of what its texts hold."""
    deep = b"[" * 1200 + b"]" * 1200

    body, is_json = decoded(b'{"a": "[[[ \\" {{{", "b": ' + deep + b', "c": ["}"], "d": NaN}')

    assert is_json
    assert (body["a"], body["c"], body["d"]) == ('[[[ " {{{', ["}"], "\x00NaN")


@pytest.mark.parametrize("beside", [b"7", b"NaN"])
@pytest.mark.parametrize("depth", [50, 250, 260, 500, 900, 1020, 5000])
def test_what_is_read_can_be_walked_through_and_written(depth: int, beside: bytes) -> None:
    """Every step after this one does: what is deeper is cut here, and the rest of the answer stays."""
    body, is_json = decoded(b'{"a": ' + b"[" * depth + b"]" * depth + b', "b": ' + beside + b', "c": 1}')

    assert is_json
    assert body["c"] == 1
    assert clean_unknown(body) == body
    assert orjson.loads(orjson.dumps(body)) == body


def _pieces(content: bytes, size: int = 65_536) -> Iterator[bytes]:
    for at in range(0, len(content), size):
        yield content[at : at + size]


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "", "identity", "GZIP", "x-gzip"])
def test_what_was_asked_for_is_decompressed(encoding: str) -> None:
    """As servers send it, in pieces."""
    text = orjson.dumps(list(range(100_000)))
    compress: dict[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.compress,
        "x-gzip": gzip.compress,
        "deflate": zlib.compress,
    }
    sent = compress.get(encoding.lower(), bytes)(text)

    assert b"".join(decompressed(encoding, _pieces(sent, 777))) == text


@pytest.mark.parametrize("encoding", ["gzip, gzip", "gzip,gzip,gzip", "br", "zstd", "compress", "gzip, br"])
def test_what_was_not_asked_for_is_refused_before_a_byte_is_unpacked(encoding: str) -> None:
    """Each layer multiplies by a thousand what a few bytes swell to."""
    bomb = gzip.compress(gzip.compress(bytes(50 * MEBIBYTE)))

    with pytest.raises(Undecodable, match="not asked for"):
        list(decompressed(encoding, _pieces(bomb)))


def test_a_bomb_comes_out_in_pieces_so_that_the_limit_stops_it() -> None:
    """Httpx unpacks a whole piece at once: 64 kB are 64 MB then, before anybody can count them."""
    bomb = gzip.compress(bytes(200 * MEBIBYTE))
    tracemalloc.start()
    taken = 0
    for piece in decompressed("gzip", iter([bomb])):
        taken += len(piece)
        if taken > 8 * MEBIBYTE:
            break
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most < 8 * MEBIBYTE


@pytest.mark.parametrize(
    "sent", [b"no gzip at all", gzip.compress(bytes(1000), mtime=0)[:10] + b"x" * 50], ids=["none", "cut"]
)
def test_a_broken_compression_is_a_failure_of_the_line(sent: bytes) -> None:
    """It is told and tried again, not raised as something else."""
    with pytest.raises(Undecodable, match="broken"):
        list(decompressed("gzip", iter([sent])))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=5000), st.integers(1, 700))
def test_every_body_survives_its_compression(content: bytes, size: int) -> None:
    """However the pieces fall."""
    assert b"".join(decompressed("gzip", _pieces(gzip.compress(content), size))) == content
