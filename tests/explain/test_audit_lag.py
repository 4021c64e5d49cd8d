"""An oversold unit is put down to the hop that still had the news when it was sold."""

import pytest
from tests.explain.audit_line import AuditLine, after

from trueup.domain.connections import ConnectionDetails
from trueup.explain.explain import explain_lag
from trueup.explain.lag import Hop


@pytest.fixture
def line(warehouse: ConnectionDetails) -> AuditLine:
    """The stock fell: read before at 0 s and 10 s, landed by the read that began at 19 s, verified at 40 s."""
    line = AuditLine(warehouse)
    line.land("stock_levels", 16, "11|1", after(-100))
    line.land("stock_levels", 17, "11|1", after(20))
    line.add(
        "canonical.stock_levels", sku="HV-00001", location_id="WH-EAST", on_hand_quantity=6, source_system_id="erp",
        record_id=17, received_at=after(20),
    )  # fmt: skip
    line.read("stock_levels", after(0), "land-a")
    line.read("stock_levels", after(10), "land-b")
    line.read("stock_levels", after(19), "land-17")
    line.built(after(-99), after(-98))
    line.built(after(21), after(24))
    return line


@pytest.fixture
def corrected(line: AuditLine) -> AuditLine:
    """The correction that followed: proposed at 25 s, sent at 30 s, on the channel at 35 s."""
    line.corrected(
        proposed_at=after(25), sent_at=after(30), applied_at=after(35), verified_at=after(40), resolved_at=after(40),
        facts_received_at=after(20),
    )  # fmt: skip
    return line


@pytest.mark.parametrize(
    ("sold_at", "hop"),
    [(5, Hop.SOURCE), (12, Hop.LANDING), (22, Hop.BUILD), (27, Hop.QUEUE), (32, Hop.CHANNEL)],
)
def test_the_hop_is_the_one_that_had_the_fact_then(corrected: AuditLine, sold_at: float, hop: Hop) -> None:
    """The read that began at 10 s did not bring it, so at 5 s the source had no news; at 12 s nobody had asked."""
    lag = explain_lag(corrected.details, "HV-00001", "shop", after(sold_at))
    assert lag.hop is hop
    assert lag.why


def test_a_correction_on_hold_is_the_queues_and_names_the_hold(corrected: AuditLine) -> None:
    """Waiting for a person is waiting."""
    corrected.act(
        "insert into outbox.holds (target_system, workflow, run_id, reason, correction_count, held_at, decision,"
        " decided_by, decided_at) values ('shop', 'inventory', 'p', 'r', 1, %s, 'approved', 'ada', %s)",
        after(25),
        after(29),
    )
    corrected.act("update outbox.changes set hold_id = 1")
    lag = explain_lag(corrected.details, "HV-00001", "shop", after(27))
    assert (lag.hop, lag.why) == (Hop.QUEUE, "correction 1 (9 to 6) waited for a person (hold 1)")


def test_a_quarantine_at_that_moment_is_the_gates(corrected: AuditLine) -> None:
    """Released since: it is the moment of the sale that counts."""
    corrected.act(
        "insert into gates.quarantine (schema_name, table_name, row_key, subject_key, rule_id, reason, run_id,"
        " quarantined_at, released_at)"
        " values ('marts', 'ats_positions', 'k', 'HV-00001', 'A7', 'too many', 'g', %s, %s)",
        after(21),
        after(28),
    )
    assert explain_lag(corrected.details, "HV-00001", "shop", after(23)).hop is Hop.GATE
    assert explain_lag(corrected.details, "HV-00001", "shop", after(32)).hop is Hop.CHANNEL


@pytest.mark.parametrize(("sold_at", "hop"), [(5, Hop.SOURCE), (12, Hop.LANDING), (22, Hop.BUILD)])
def test_without_a_correction_the_facts_themselves_tell(line: AuditLine, sold_at: float, hop: Hop) -> None:
    """The last unit was sold twice, and the second sale made the channel right: nothing had to be pushed."""
    assert explain_lag(line.details, "HV-00001", "shop", after(sold_at)).hop is hop


def test_what_was_never_landed_is_the_sources(line: AuditLine) -> None:
    """All we ever heard was on the channel long before."""
    lag = explain_lag(line.details, "HV-00001", "shop", after(1000))
    assert (lag.hop, lag.record) == (Hop.SOURCE, None)


def test_the_channels_own_order_is_not_taken_for_the_news(line: AuditLine) -> None:
    """The order that was oversold lands later too; it is the consequence, not the cause."""
    line.land("orders", 5, "order", after(60), system="shop")
    line.add(
        "canonical.reservations", reservation_id="a", channel="shop", order_name="#1", sku="HV-00001", quantity=1,
        status="open", source_system_id="shop", record_id=5,
    )  # fmt: skip
    assert explain_lag(line.details, "HV-00001", "shop", after(50)).record is None
