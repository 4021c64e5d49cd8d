"""A fact is followed from landing to read-back, and every step that carries its id is found."""

from uuid import uuid4

import pytest
from tests.explain.audit_line import FACT, AuditLine, after

from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.explain.freshness import freshness
from trueup.explain.trace import trace


@pytest.fixture
def line(warehouse: ConnectionDetails) -> AuditLine:
    """A warehouse where the fact went all the way, with a quarrel on the way."""
    line = AuditLine(warehouse)
    line.whole_story()
    line.corrected(proposed_at=after(5), verified_at=after(9), facts_received_at=after(1), resolved_at=after(9))
    line.act(
        "insert into outbox.receipts (key, attempt, outcome, http_status, detail, attempted_at, recorded_at, run_id)"
        " values ('k1', 1, 'retry', 429, 'throttled', %s, %s, 'c'), ('k1', 2, 'applied', 200, 'set', %s, %s, 'c')",
        after(6),
        after(6),
        after(8),
        after(8),
    )
    line.act(
        "insert into outbox.read_backs (key, observed, as_of, is_verified, run_id) values ('k1', '6', %s, true, 'c')",
        after(0),
    )
    line.act(
        "insert into exceptions.queue (kind, subject, reason, remedy, correlation_id, opened_at)"
        " values ('unmatched_sku', 's', 'nobody knows it', 'add an alias', %s, %s)",
        FACT,
        after(4),
    )
    line.act(
        "insert into audit.events (actor, action, subject, reason, correlation_id, occurred_at)"
        " values ('ada', 'exception_resolved', 'exception:1', 'alias added', %s, %s)",
        FACT,
        after(4.5),
    )
    return line


def test_every_step_is_found_in_the_order_of_our_clock(line: AuditLine) -> None:
    """The source's clock and ours may be hours apart; the order is ours."""
    found = trace(line.details, FACT)
    # The database stamps a transition itself, by the clock of today; a table without a text shows its columns.
    texts = {step.stage: step.text for step in found.steps}
    assert texts["outbox.transitions"].startswith("change 1 to verified")
    assert texts["reconciliation.stock_differences"] == (
        "subject_key HV-00001, entity stock, target_system shop, record_ref gid://1|gid://2,"
        " field available, shown 9, desired 4"
    )
    undated = ("outbox.transitions", "reconciliation.stock_differences")
    others = [step for step in found.steps if step.stage not in undated]
    assert [(step.at, step.stage) for step in others] == [
        (after(1), "raw.erp__stock_levels"),
        (after(3), "canonical.stock_levels"),
        (after(3), "canonical.reservations"),
        (after(3), "marts.ats_positions"),
        (after(4), "exceptions.queue"),
        (after(4.5), "audit.events"),
        (after(5), "outbox.changes"),
        (after(6), "outbox.receipts"),
        (after(8), "outbox.receipts"),
        (after(9), "outbox.read_backs"),
    ]
    text = "\n".join(found.lines)
    assert "record 17 of 11|1 by poll of land-17, as of 2026-03-02 12:00:00 (source's clock)" in text
    assert "change 1 attempt 1: retry 429, throttled" in text
    assert "change 1 read back 6, verified" in text


def test_an_unknown_id_says_where_ids_are_found(line: AuditLine) -> None:
    """An empty answer would look like a fact that left no trace."""
    with pytest.raises(Permanent, match="nothing carries the correlation id"):
        trace(line.details, uuid4())


def test_freshness_is_measured_from_landing_to_verification(line: AuditLine) -> None:
    """Only what was verified counts, in the period asked for."""
    for number, seconds in enumerate((2.0, 3.0, 4.0, 20.0), start=2):
        line.corrected(
            correction=number, record_ref=f"r{number}", facts_received_at=after(0), verified_at=after(seconds),
        )  # fmt: skip
    line.corrected(correction=9, record_ref="r9", facts_received_at=after(0), status="conflicted")
    found = freshness(line.details)
    assert (found.correction_count, found.p50_seconds, found.p95_seconds) == (5, 4.0, 20.0)
    assert freshness(line.details, since=after(10)).p50_seconds == 20.0
    assert freshness(line.details, until=after(3)).p95_seconds == 2.0
    assert freshness(line.details, until=after(0)).p50_seconds is None
