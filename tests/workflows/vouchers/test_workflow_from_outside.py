"""A workflow is added, not built in: a made-up one goes the whole way without a line of the engine knowing it."""

import os
import signal
import time
from collections.abc import Iterator
from uuid import UUID

import psycopg
import pytest
from tests.corrections.corrections_outbox import tenant
from tests.workflows.vouchers.vouchers import TARGET, VOUCHERS, Ledger, LedgerWriter, VoucherLine, run_ledger

from trueup.corrections.engine.holds import decide_hold, open_holds
from trueup.corrections.engine.policy import Policy
from trueup.corrections.engine.reports import RunState
from trueup.corrections.engine.switches import stop_channel
from trueup.corrections.ownership import require_owners
from trueup.domain.changes import Operation
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.domain.values import Document, State
from trueup.explain.record_history import read_record_history
from trueup.explain.trace import trace
from trueup.warehouse.connection import Role, connect
from trueup.warehouse.registry import apply_configuration

FACT = UUID("00000000-0000-4000-8000-00000000000b")
GIFT = Document.of({"holder": "Zoë", "face_value_cents": 2500, "lines": [{"code": "GIFT", "count": 1}]})
DRAFT, ACTIVE, CLOSED = State("draft"), State("active"), State("closed")


@pytest.fixture
def ledger() -> Ledger:
    """An empty ledger."""
    return Ledger()


@pytest.fixture
def writer(ledger: Ledger) -> Iterator[LedgerWriter]:
    """A writer to the running ledger."""
    with run_ledger(ledger) as url:
        yield LedgerWriter(url)


@pytest.fixture
def line(warehouse: ConnectionDetails) -> VoucherLine:
    """A tenant with inventory and vouchers."""
    line = VoucherLine(warehouse, tenant())
    line.prepare()
    return line


def _approve(line: VoucherLine) -> None:
    (hold,) = open_holds(line.details)
    for person in ("ada", "bob"):
        decide_hold(line.details, hold.hold_id, "approved", person)


def _killed(line: VoucherLine, writer: LedgerWriter, *, after: bool) -> None:
    """Correct in a process that SIGKILLs itself just before or just after the write."""
    child = os.fork()
    if child == 0:
        post = writer.post

        def dying(path: str, body: object) -> object:
            if path == "/write" and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            answer = post(path, body)
            if path == "/write":
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

        writer.post = dying  # type: ignore[method-assign]  # in the child only, which dies of it
        try:
            line.correct({TARGET: writer})
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)


def test_a_document_is_created_once_over_two_approvals_and_a_kill(
    line: VoucherLine, ledger: Ledger, writer: LedgerWriter
) -> None:
    """Propose, hold, two people, a kill after the write, look-up, read-back, explain and trace."""
    line.act("insert into canonical.vouchers values ('V1', 2500, %s, null)", FACT)
    line.wish(Operation.CREATE, "v1", None, GIFT, correlation_id=FACT)

    report = line.propose()

    (mine,) = [each for each in report.channels if each.workflow == "vouchers"]
    assert (mine.channel, mine.proposed_count, mine.on_hold_count) == (TARGET, 0, 1)
    (hold,) = open_holds(line.details)
    assert (hold.target_system, hold.workflow, hold.approvals_needed) == (TARGET, "vouchers", 2)
    with pytest.raises(Permanent, match="who proposes does not approve"):
        decide_hold(line.details, hold.hold_id, "approved", "test")
    for _ in range(2):
        decided = decide_hold(line.details, hold.hold_id, "approved", "ada")
        assert (decided.correction_count, decided.missing_approvals) == (0, 1)
    assert open_holds(line.details)[0].approved_by == ("ada",)
    assert line.correct({TARGET: writer}) == []
    assert decide_hold(line.details, hold.hold_id, "approved", "bob").correction_count == 1

    _killed(line, writer, after=True)

    assert line.statuses() == {"v1": ["sent"]}
    assert ledger.effects == [("create", "v1")]
    (run,) = line.correct({TARGET: writer})
    assert (run.state, run.workflow, run.recovered_count, run.calls) == (RunState.DRAINED, "vouchers", 1, 0)
    assert (line.statuses(), ledger.effects, ledger.reads) == ({"v1": ["verified"]}, [("create", "v1")], ["v1"])

    text = "\n".join(read_record_history(line.details, TARGET, "v1").lines)
    assert f"create voucher document of V1: ? to {GIFT}, not synced yet: verified" in text
    assert f"hold {hold.hold_id}, approved by ada and bob: every change of vouchers waits for approval" in text
    assert "Zoë" not in text
    stages = [step.stage for step in trace(line.details, FACT).steps]
    assert {"canonical.vouchers", "outbox.changes", "outbox.receipts", "outbox.read_backs"} <= set(stages)
    transitions = line.rows("select former_status, status, actor from outbox.transitions order by transition_id")
    assert transitions == [
        (None, "held", "test"),
        ("held", "proposed", "bob"),
        ("proposed", "claimed", "test"),
        ("claimed", "sent", "test"),
        ("sent", "verified", "test"),
    ]


def test_what_a_look_up_does_not_find_is_sent_again(line: VoucherLine, ledger: Ledger, writer: LedgerWriter) -> None:
    """Killed before the write, nothing is there: created once, after looking."""
    line.wish(Operation.CREATE, "v1", None, GIFT)
    line.propose()
    _approve(line)
    _killed(line, writer, after=False)
    assert (line.statuses(), ledger.effects) == ({"v1": ["sent"]}, [])

    line.correct({TARGET: writer}, sleep=time.sleep, patience_seconds=10)

    assert (line.statuses(), ledger.effects) == ({"v1": ["verified"]}, [("create", "v1")])
    # When the run began, before it was sent again, and after.
    assert ledger.reads == ["v1", "v1", "v1"]


def test_what_arrives_between_the_look_ups_is_not_created_twice(
    line: VoucherLine, ledger: Ledger, writer: LedgerWriter
) -> None:
    """A slow target books it after it was looked up first: it is found before it is sent again."""
    line.wish(Operation.CREATE, "v1", None, GIFT)
    line.propose()
    _approve(line)
    _killed(line, writer, after=False)
    (run,) = line.correct({TARGET: writer})
    assert (run.state, line.statuses()) == (RunState.WAITING, {"v1": ["proposed"]})
    ledger.write({"operation": "create", "ref": "v1", "desired": {"document": dict(GIFT.content)}}, None)
    line.act("update outbox.changes set next_attempt_at = null")

    (run,) = line.correct({TARGET: writer})

    assert (run.calls, line.statuses(), ledger.effects) == (0, {"v1": ["verified"]}, [("create", "v1")])


def test_the_same_id_with_another_content_is_refused(line: VoucherLine, ledger: Ledger, writer: LedgerWriter) -> None:
    """Ours or somebody else's: what is there under the id is never taken for what we wanted."""
    line.wish(Operation.CREATE, "v1", None, GIFT)
    line.propose()
    _approve(line)
    line.correct({TARGET: writer})
    assert line.statuses() == {"v1": ["verified"]}

    line.wish(Operation.CREATE, "v1", None, Document.of({**GIFT.content, "face_value_cents": 9900}))
    report = line.propose()

    assert [each.refused_count for each in report.channels if each.workflow == "vouchers"] == [1]
    (reason,) = line.rows("select reason from exceptions.queue where kind = 'correction_refused'")[0]
    assert reason == "not proposed: 1 would create with another content what was created before"

    ledger.vouchers["v2"] = {"holder": "somebody", "state": "draft"}
    line.wish(Operation.CREATE, "v2", None, GIFT)
    line.propose()
    _approve(line)
    ledger.faults = ["lost_after"]
    line.correct({TARGET: writer})
    assert line.statuses()["v2"] == ["rejected"]
    assert ledger.effects == [("create", "v1")]


def test_a_state_moves_forward_and_never_back(line: VoucherLine, ledger: Ledger, writer: LedgerWriter) -> None:
    """Closed vouchers stay closed, whatever an old fact says."""
    ledger.vouchers["v1"] = {"state": "draft"}
    for former, state in ((DRAFT, ACTIVE), (ACTIVE, CLOSED)):
        line.wish(Operation.TRANSITION, "v1", former, state, facts_version=state.name)
        line.propose()
        _approve(line)
        ledger.faults = ["lost_after"]
        line.correct({TARGET: writer})
    assert line.statuses() == {"v1": ["verified", "verified"]}
    assert ledger.effects == [("transition", "v1"), ("transition", "v1")]

    for former, state, refusal in (
        (DRAFT, CLOSED, "start from a state that the policy does not allow"),
        (ACTIVE, DRAFT, "start from a state that the policy does not allow"),
        (DRAFT, ACTIVE, "would move a state backwards"),
    ):
        line.wish(Operation.TRANSITION, "v1", former, state, facts_version=f"{former} {state}")
        report = line.propose()
        assert [each.refused_count for each in report.channels if each.workflow == "vouchers"] == [1]
        (reason,) = line.rows("select reason from exceptions.queue where status = 'open'")[0]
        assert reason == f"not proposed: 1 {refusal}"
    assert ledger.vouchers["v1"]["state"] == "closed"


def test_a_state_that_has_moved_on_is_left_alone(line: VoucherLine, ledger: Ledger, writer: LedgerWriter) -> None:
    """Somebody closed it meanwhile: that is further than we wanted, and no conflict to repeat."""
    ledger.vouchers["v1"] = {"state": "draft"}
    line.wish(Operation.TRANSITION, "v1", DRAFT, ACTIVE)
    line.propose()
    _approve(line)
    _killed(line, writer, after=True)
    ledger.vouchers["v1"]["state"] = "closed"
    line.correct({TARGET: writer})
    assert line.rows("select status, status_reason from outbox.changes") == [("verified", "it is closed by now")]


def test_a_ticket_is_asked_about_until_it_is_done(line: VoucherLine, ledger: Ledger, writer: LedgerWriter) -> None:
    """Accepted is not done: nothing is sent twice while the target takes its time, and it is read back in the end."""
    ledger.faults = ["ticket"]
    line.wish(Operation.CREATE, "v1", None, GIFT)
    line.propose()
    _approve(line)
    for _ in range(2):
        (run,) = line.correct({TARGET: writer})
        assert (run.state, line.statuses()) == (RunState.WAITING, {"v1": ["pending"]})
    assert line.propose().proposed_count == 0
    ledger.work_off()
    (run,) = line.correct({TARGET: writer})
    assert (run.state, line.statuses()) == (RunState.DRAINED, {"v1": ["verified"]})
    assert ledger.effects == [("create", "v1")]
    assert line.rows("select attempt, outcome, ticket from outbox.receipts order by receipt_id") == [
        (1, "pending", "job-1"),
        (1, "applied", None),
    ]


def test_the_kill_switch_of_a_system_stops_its_changes(line: VoucherLine, ledger: Ledger, writer: LedgerWriter) -> None:
    """A target need not be a channel."""
    line.wish(Operation.CREATE, "v1", None, GIFT)
    line.propose()
    _approve(line)
    stop_channel(line.details, TARGET, "ada", "month end")
    (run,) = line.correct({TARGET: writer})
    assert (run.state, run.reason, ledger.effects) == (RunState.STOPPED, "stopped by ada: month end", [])


def test_both_workflows_are_decided_in_one_publish(line: VoucherLine) -> None:
    """Each by its own policy: inventory goes, vouchers wait for two people."""
    line.want(1, 5, 3)
    line.wish(Operation.CREATE, "v1", None, GIFT)
    report = line.propose()
    assert {each.workflow: (each.proposed_count, each.on_hold_count) for each in report.channels} == {
        "inventory": (1, 0),
        "vouchers": (0, 1),
    }


def test_states_that_lead_back_to_themselves_are_no_policy() -> None:
    """A state that can be reached again would let a refund be made twice."""
    with pytest.raises(ValueError, match="states move forward only"):
        Policy(
            workflow="x",
            entities=("x",),
            fields=("x",),
            changes_view="x",
            targets=VOUCHERS.targets,
            measure="cents",
            remedy="none",
            starts_from={"open": frozenset({"closed"}), "closed": frozenset({"open"})},
        )


def _declare_owner(line: VoucherLine, owner: str) -> None:
    line.configuration = line.configuration.model_copy(update={"ownership": {"voucher.document": owner}})
    with connect(line.details, Role.CONFIGURATOR) as connection:
        apply_configuration(connection, line.configuration, "test")


@pytest.mark.parametrize(
    ("owner", "origin", "is_refused"),
    [("erp", None, True), ("shop", None, False), ("origin", "erp", True), ("origin", "shop", False)],
)
def test_nothing_is_written_to_the_owner_of_a_field(
    line: VoucherLine, owner: str, origin: str | None, *, is_refused: bool
) -> None:
    """A system of record is never sent what it knows itself; the change keeps whose record it follows."""
    _declare_owner(line, owner)
    line.wish(Operation.CREATE, "v1", None, GIFT, owner_system=origin, decided_from="canonical.vouchers V1")
    report = line.propose()
    assert [each.refused_count for each in report.channels if each.workflow == "vouchers"] == [int(is_refused)]
    assert line.rows("select owner_system, decided_from from outbox.changes") == (
        [] if is_refused else [(origin, "canonical.vouchers V1")]
    )
    if is_refused:
        (reason,) = line.rows("select reason from exceptions.queue")[0]
        assert reason == "not proposed: 1 would write to the owner of voucher.document"


def test_the_database_itself_keeps_changes_from_owners(line: VoucherLine) -> None:
    """Whatever a step decides: the last word on ownership is the outbox's."""
    _declare_owner(line, "erp")
    with connect(line.details, Role.PROPOSER) as connection, pytest.raises(psycopg.errors.CheckViolation, match="owns"):
        connection.execute(
            "insert into outbox.changes (key, entity, operation, target_system, record_ref, field, subject_key,"
            " desired, size, cause, priority, facts_version, correlation_id, status, run_id)"
            " values ('k', 'voucher', 'create', 'erp', 'v1', 'document', 'V1', '{\"document\": {}}', 1, 'edited', 1,"
            " 'v', gen_random_uuid(), 'proposed', 'r')"
        )


def test_every_field_that_may_be_written_needs_an_owner(line: VoucherLine) -> None:
    """Forgotten, it would be written by whoever comes first."""
    with pytest.raises(Permanent) as caught:
        require_owners(line.configuration, line.policies)
    assert [message.split(":")[1].strip() for message in str(caught.value).splitlines()] == [
        "ownership.stock.available",
        "ownership.voucher.document",
        "ownership.voucher.state",
    ]
    owners = {"stock.available": "trueup", "voucher.document": "erp", "voucher.state": "shop"}
    with pytest.raises(Permanent, match=r"ownership.voucher.document: erp owns it and vouchers would write it to erp"):
        require_owners(line.configuration.model_copy(update={"ownership": owners}), line.policies)
    owners["voucher.document"] = "origin"
    require_owners(line.configuration.model_copy(update={"ownership": owners}), line.policies)
