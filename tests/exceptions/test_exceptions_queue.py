"""Everything that left the line is in the queue once, with its payload, until a success or a person closes it."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.exceptions.queue import (
    NewException,
    close_exceptions,
    close_unseen,
    dismiss_exception,
    list_exceptions,
    open_exception,
    open_exceptions,
    resolve_exception,
    show_exception,
)
from trueup.warehouse.connection import Role, connect


def _open(details: ConnectionDetails, subject: str = "SKU-1", **changes: Any) -> int:  # noqa: ANN401 - arguments of several kinds
    arguments: dict[str, Any] = {
        "kind": "unmatched_sku",
        "system_id": "netsuite",
        "stream": "products",
        "reason": "no article has this SKU",
        "remedy": "add it to aliases.csv",
        "payload": {"id": "7"},
    }
    with connect(details, Role.LOADER) as connection:
        return open_exception(connection, subject=subject, **(arguments | changes))


def test_what_is_seen_again_is_counted_and_not_doubled(warehouse: ConnectionDetails) -> None:
    """A poll a minute would else bury a person in copies of one fault."""
    first_correlation = uuid4()
    first = _open(warehouse, correlation_id=first_correlation)
    second = _open(warehouse, reason="still none", payload={"id": "8"})
    assert first == second
    (found,) = list_exceptions(warehouse)
    assert (found.seen_count, found.reason, found.payload) == (2, "still none", {"id": "8"})
    assert found.correlation_id == first_correlation, "a sight without an id of its own keeps the thread"


@pytest.mark.parametrize("change", [{"kind": "ambiguous_sku"}, {"system_id": None}, {"stream": "orders"}])
def test_another_kind_system_or_stream_is_another_exception(
    warehouse: ConnectionDetails, change: dict[str, Any]
) -> None:
    """The same SKU can be wrong in two ways at once."""
    assert _open(warehouse) != _open(warehouse, **change)


def test_the_same_subject_twice_in_one_batch_is_one_exception(warehouse: ConnectionDetails) -> None:
    """A page may hold the same broken record twice; one statement cannot touch a row twice."""
    with connect(warehouse, Role.TRANSFORMER) as connection:
        new = [NewException(kind="k", subject="s", reason=f"reason {each}", remedy="r") for each in range(3)]
        assert len(open_exceptions(connection, new)) == 1
    assert [found.reason for found in list_exceptions(warehouse)] == ["reason 2"]


def test_a_success_closes_what_is_open_and_a_later_fault_opens_anew(warehouse: ConnectionDetails) -> None:
    """The history of a thing that keeps breaking stays readable."""
    first = _open(warehouse)
    with connect(warehouse, Role.OPERATOR) as connection:
        closed = close_exceptions(
            connection,
            kind="unmatched_sku",
            system_id="netsuite",
            stream="products",
            subjects=["SKU-1", "SKU-2"],
            closed_by="trueup",
            reason="it matches now",
        )
    assert closed == [first]
    assert _open(warehouse) != first
    assert [found.status for found in list_exceptions(warehouse, status=None)] == ["open", "resolved"]


def test_what_is_seen_again_since_is_not_closed_as_unseen(warehouse: ConnectionDetails) -> None:
    """A sweep closes what it no longer meets; what it met again is still wrong, however old its exception is."""
    again, gone, other = _open(warehouse, "again"), _open(warehouse, "gone"), _open(warehouse, "gone", stream="orders")
    with connect(warehouse, Role.LOADER) as connection:
        (sweep_began,) = connection.execute("select clock_timestamp()").fetchone() or (None,)
    for sweep in (1, 2):
        assert _open(warehouse, "again") == again
        with connect(warehouse, Role.LOADER) as connection:
            closed = close_unseen(
                connection,
                kind="unmatched_sku",
                system_id="netsuite",
                stream="products",
                since=sweep_began,
                closed_by="landing",
                reason="a complete sweep no longer met it",
            )
            (sweep_began,) = connection.execute("select clock_timestamp()").fetchone() or (None,)
        assert closed == ([gone] if sweep == 1 else [])
    assert {found.exception_id: found.seen_count for found in list_exceptions(warehouse)} == {again: 3, other: 1}


@pytest.mark.parametrize(("close", "status"), [(resolve_exception, "resolved"), (dismiss_exception, "dismissed")])
def test_a_person_closes_with_a_reason_that_the_audit_keeps(
    warehouse: ConnectionDetails, close: Callable[..., object], status: str
) -> None:
    """Who closed it and why is asked months later."""
    exception_id = _open(warehouse)
    close(warehouse, exception_id, actor="mara", reason="sold out for good")
    found = show_exception(warehouse, exception_id)
    assert (found.status, found.closed_by, found.closed_reason) == (status, "mara", "sold out for good")
    with connect(warehouse, Role.OPERATOR) as connection:
        events = connection.execute("select actor, action, subject, reason from audit.events").fetchall()
    assert events == [("mara", f"exception_{status}", f"exception:{exception_id}", "sold out for good")]


def test_closing_without_a_reason_or_twice_is_refused(warehouse: ConnectionDetails) -> None:
    """A second person must learn that the first was there."""
    exception_id = _open(warehouse)
    with pytest.raises(Permanent, match="say why"):
        dismiss_exception(warehouse, exception_id, actor="mara", reason="  ")
    dismiss_exception(warehouse, exception_id, actor="mara", reason="a sample")
    with pytest.raises(Permanent, match=r"already dismissed \(by mara"):
        resolve_exception(warehouse, exception_id, actor="jon", reason="mended")


def test_an_id_that_does_not_exist_is_named(warehouse: ConnectionDetails) -> None:
    """A typing error must not look like success."""
    with pytest.raises(Permanent, match="no exception 4711"):
        show_exception(warehouse, 4711)


@pytest.mark.parametrize(
    ("payload", "kept"),
    [
        ({"title": "a\x00b"}, {"title": "a�b"}),
        ({"title": "\ud800"}, {"title": "�"}),
        ({"path": "C:\\u0000"}, {"path": "C:\\u0000"}),
        ({"n": 2**80}, {"n": 2**80}),
        ("not an object", "not an object"),
    ],
)
def test_a_payload_that_jsonb_cannot_keep_still_gets_into_the_queue(
    warehouse: ConnectionDetails, payload: object, kept: object
) -> None:
    """The queue is for broken things: it may not break on them."""
    exception_id = _open(warehouse, subject="key\x00", payload=payload)
    found = show_exception(warehouse, exception_id)
    assert (found.payload, found.subject) == (kept, "key�")


def test_the_list_filters_and_shows_the_newest_first(warehouse: ConnectionDetails) -> None:
    """Operations look at one system at a time."""
    older, newer = _open(warehouse, "A"), _open(warehouse, "B")
    _open(warehouse, "C", system_id="square")
    assert [found.exception_id for found in list_exceptions(warehouse, system_id="netsuite")] == [newer, older]
    assert len(list_exceptions(warehouse, limit=1)) == 1
    assert list_exceptions(warehouse, kind="correction_rejected") == []
