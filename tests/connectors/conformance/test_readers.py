"""Every reader: the contract of its streams, what a poll asks, cursors that resume, and what it says of a mistake."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.connectors.conformance.systems import (
    CONFIGURATION,
    SIMULATED,
    Subject,
    contents,
    each_connector,
    each_stream,
    recorded,
    with_secret,
)

from trueup.connectors.cadence import is_polled_whole
from trueup.connectors.registry import CONNECTORS, build_connector
from trueup.contracts.loader import load_contract
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, TrueupError
from trueup.domain.records import Page

MOMENT = re.compile(r"\d{4}-\d\d-\d\d(?:T|%20| )\d\d(?::|%3A)\d\d(?::|%3A)\d\d[0-9.]*(?:Z|[+-]\d\d:\d\d|%2B00%3A00)?")
# The token that nobody was given.
WRONG = "a-secret-that-must-not-be-told"


def broken(connector: str, stream: str, pages: list[Page]) -> list[str]:
    """What the contract has against the records, fields that it does not know, and what could not be read at all."""
    checker = load_contract(connector, stream).checker()
    records = [record.payload or {} for page in pages for record in page.records]
    found = [str(each) for each in checker.violations(records).values()]
    found += [f"unknown: {name}" for name in checker.unknown_fields]
    return found + [reason for page in pages for _, reason in page.damaged]


@each_stream
def test_a_sweep_and_a_poll_keep_the_contract(subject: Subject, stream: str) -> None:
    """A field that the contract does not know is drift in every installation from the first day."""
    swept = subject.sweep(stream)
    polled = subject.poll(stream, None)

    assert broken(subject.connector, stream, swept) == []
    assert broken(subject.connector, stream, polled) == []
    assert contents(swept).keys() <= contents(polled).keys()
    assert [page.cursor is not None for page in swept] == [page.is_last for page in swept]
    assert all(page.as_of <= subject.sandbox.world.now() for page in swept)


@each_stream
def test_a_cursor_resumes_and_survives_json(subject: Subject, stream: str) -> None:
    """A poll from a sweep's cursor brings every record that is new, and ends with a cursor of its own."""
    before = contents(swept := subject.sweep(stream))
    cursor = swept[-1].cursor
    subject.sandbox.world.step(1800)

    polled = subject.poll(stream, cursor)

    after = contents(subject.sweep(stream))
    assert after.keys() - before.keys() <= contents(polled).keys()
    assert polled[-1].cursor is not None
    assert contents(subject.poll(stream, polled[-1].cursor)).keys() <= after.keys() | before.keys()


@each_stream
def test_a_poll_asks_for_everything_where_the_spec_says_so_and_nowhere_else(
    subject: Subject, stream: str, recording: Path
) -> None:
    """A poll that asks what a sweep asks finds deletions too: unsaid, they wait for a sweep that is not needed."""
    cursor = subject.sweep(stream)[-1].cursor
    start = len(recorded(recording, subject.system_id))
    swept = subject.sweep(stream)
    middle = len(recorded(recording, subject.system_id))
    subject.poll(stream, cursor)

    lines = recorded(recording, subject.system_id)

    is_windowed = any(page.covers_since is not None for page in swept)
    is_whole = asked(lines[start:middle]) == asked(lines[middle:]) and not is_windowed
    assert is_whole == is_polled_whole(subject.connector, stream)


def asked(lines: Sequence[Mapping[str, Any]]) -> set[str]:
    """What was asked, whenever it was: moments left out."""
    return {MOMENT.sub("", json.dumps([line["path"], line["query"], line["request"]])) for line in lines}


@each_connector
def test_nothing_moves_the_world_by_being_read(subject: Subject) -> None:
    """Two sweeps of a quiet world are the same, record by record."""
    for stream in CONNECTORS[subject.connector].streams:
        assert contents(subject.sweep(stream)) == contents(subject.sweep(stream)), stream


@each_connector
def test_the_test_button_reaches_the_system_and_tells_no_secret(subject: Subject) -> None:
    """Whoever set it up wrong reads the message, and sends it to others."""
    assert subject.reader().check()
    wrong = with_secret(subject.details, WRONG)

    with pytest.raises(TrueupError) as caught:
        build_connector(subject.declaration, wrong, subject.state).check()

    chain = list(_chain(caught.value))
    assert all(WRONG not in repr(error) and WRONG not in str(error) for error in chain)
    assert all(secret not in str(error) for error in chain for secret in _secrets(subject.details))


@each_connector
def test_a_stream_that_nobody_has_is_named(subject: Subject) -> None:
    """A misspelt stream must fail before the first run."""
    with pytest.raises(Permanent, match="has no stream 'prices'"):
        list(subject.reader().read("prices", next(iter(_modes())), None))


def _modes() -> Iterator[Any]:
    from trueup.domain.records import ReadMode

    yield from ReadMode


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _secrets(details: ConnectionDetails) -> list[str]:
    reported = [details.password, *details.extra.values()]
    return [secret for secret in reported if isinstance(secret, str) and len(secret) > 15]


def test_every_connector_is_in_the_suite() -> None:
    """One that the tenant's file forgets would be held against nothing."""
    assert set(SIMULATED) == set(CONNECTORS)
    assert {system.connector for system in CONFIGURATION.systems.values()} == set(SIMULATED)
