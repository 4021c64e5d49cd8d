"""A workflow that the package knows nothing of: vouchers are created at a ledger, and their state moves forward."""

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any

import httpx
from psycopg import sql
from psycopg.types.json import Jsonb
from tests.corrections.corrections_outbox import Line
from tests.http_server import served
from tests.model_tables import create_table, insert_row

from trueup.configuration.model import TenantConfiguration
from trueup.connectors.base import Observation, Ticket
from trueup.corrections.engine.policy import Approvals, Limits, Policy, Target
from trueup.corrections.policies import POLICIES
from trueup.domain.changes import Change, Operation, Outcome, Receipt
from trueup.domain.values import Document, State, Value, to_json
from trueup.warehouse.connection import Role, connect

TARGET = "erp"


def _targets(configuration: TenantConfiguration) -> Sequence[Target]:
    return [Target(name=TARGET, system_id=TARGET, limits=Limits(attempts=3))] if TARGET in configuration.systems else []


VOUCHERS = Policy(
    workflow="vouchers",
    entities=("voucher",),
    fields=("document", "state"),
    changes_view="voucher_changes",
    targets=_targets,
    measure="cents",
    remedy="look at canonical.vouchers",
    always=Approvals.TWO_PEOPLE,
    starts_from={"active": frozenset({"draft"}), "closed": frozenset({"active"})},
)

_OF_INVENTORY = ("shown_quantity", "target_quantity", "build_id")
_DEFAULTS = {
    "entity": "voucher",
    "target_system": TARGET,
    "cause": "not_synced_yet",
    "priority": 1,
    "facts_version": "v1",
    "facts_as_of": sql.SQL("now()"),
    "facts_received_at": sql.SQL("now()"),
    "correlation_id": sql.SQL("gen_random_uuid()"),
}


class VoucherLine(Line):
    """A tenant with the made-up workflow beside inventory."""

    policies = (*POLICIES, VOUCHERS)

    def prepare(self) -> None:
        """Make what dbt would have made for the workflow."""
        with connect(self.details, Role.TRANSFORMER) as connection:
            # What every workflow's view of changes has.
            create_table(connection, "stock_changes", name="voucher_changes", without=_OF_INVENTORY, defaults=_DEFAULTS)
            connection.execute(
                "create table canonical.vouchers"
                " (voucher_id text, face_value_cents bigint, correlation_id uuid, build_id bigint)"
            )

    def wish(self, operation: Operation, ref: str, expected: Value | None, desired: Value, **columns: object) -> None:
        """Want one change, in place of every other."""
        row: dict[str, object] = {
            "operation": str(operation),
            "record_ref": ref,
            "field": "document" if operation is Operation.CREATE else "state",
            "subject_key": ref.upper(),
            "expected": None if expected is None else Jsonb(to_json(expected)),
            "desired": Jsonb(to_json(desired)),
            "size": 2500,
            **columns,
        }
        with connect(self.details, Role.TRANSFORMER) as connection:
            connection.execute("delete from outbox.voucher_changes")
            insert_row(connection, "outbox.voucher_changes", row)


@dataclass
class Ledger:
    """What the target holds: `vouchers` by external id, and every effect it ever had.

    `faults`: one a write, in order: lost_after (written, no answer), ticket (accepted, done by `work_off`). None: none.
    """

    vouchers: dict[str, dict[str, Any]] = field(default_factory=dict)
    effects: list[tuple[str, str]] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    faults: list[str | None] = field(default_factory=list)
    waiting: dict[str, dict[str, Any]] = field(default_factory=dict)

    def write(self, change: dict[str, Any], fault: str | None) -> dict[str, Any]:
        """Carry out one change, or give a ticket for it."""
        if fault == "ticket":
            ticket = f"job-{len(self.waiting) + 1}"
            self.waiting[ticket] = change
            return {"outcome": "pending", "detail": "queued", "ticket": ticket}
        voucher = self.vouchers.get(change["ref"])
        if change["operation"] == "create":
            if voucher is not None:
                return {"outcome": "rejected", "detail": "the id is taken"}
            self.vouchers[change["ref"]] = {**change["desired"]["document"], "state": "draft", "number": 7}
        elif voucher is None:
            return {"outcome": "rejected", "detail": "no such voucher"}
        elif voucher["state"] != change["expected"]:
            return {"outcome": "conflict", "detail": f"it is {voucher['state']}"}
        else:
            voucher["state"] = change["desired"]
        self.effects.append((change["operation"], change["ref"]))
        return {"outcome": "applied", "detail": "booked"}

    def work_off(self) -> None:
        """Carry out what was accepted."""
        for ticket, change in list(self.waiting.items()):
            self.waiting[ticket] = {"done": self.write(change, None)}


class _Handler(BaseHTTPRequestHandler):
    ledger: Ledger

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        ledger = self.ledger
        if self.path == "/read":
            ledger.reads += body
            answer: Any = {ref: ledger.vouchers.get(ref) for ref in body}
        elif self.path == "/tickets":
            answer = {ticket: ledger.waiting[ticket].get("done") for ticket in body}
        else:
            fault = ledger.faults.pop(0) if ledger.faults else None
            answer = [ledger.write(change, fault) for change in body]
            if fault == "lost_after":
                self.close_connection = True
                return
        text = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


class LedgerWriter:
    """Writes to the ledger over HTTP."""

    batch_size = 10

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = httpx.Client(
            timeout=5, verify=False, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
        )

    def post(self, path: str, body: object) -> Any:  # noqa: ANN401 - JSON
        """One call; a test that kills wraps it."""
        return self._client.post(f"{self._url}{path}", json=body).json()

    def apply(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        body = [
            {
                "operation": str(each.operation),
                "ref": each.record_ref,
                "expected": None if each.expected is None else to_json(each.expected),
                "desired": to_json(each.desired),
            }
            for each in changes
        ]
        try:
            answers = self.post("/write", body)
        except httpx.TransportError as error:
            return [Receipt(each.key, Outcome.UNKNOWN, None, type(error).__name__) for each in changes]
        return [
            Receipt(each.key, Outcome(answer["outcome"]), 200, answer["detail"], answer.get("ticket"))
            for each, answer in zip(changes, answers, strict=True)
        ]

    def observe(self, changes: Sequence[Change]) -> Mapping[str, Observation]:
        found = self.post("/read", [each.record_ref for each in changes])
        return {
            each.key: Observation(each.record_ref, _value(each, found[each.record_ref]), datetime.now(UTC))
            for each in changes
        }

    def redeem(self, tickets: Sequence[Ticket]) -> Mapping[str, Receipt]:
        done = self.post("/tickets", [each.ticket for each in tickets])
        return {
            each.change.key: Receipt(each.change.key, Outcome.PENDING, 200, "still queued", each.ticket)
            if (answer := done[each.ticket]) is None
            else Receipt(each.change.key, Outcome(answer["outcome"]), 200, answer["detail"])
            for each in tickets
        }

    def close(self) -> None:
        self._client.close()


def _value(change: Change, voucher: dict[str, Any] | None) -> Value | None:
    if voucher is None:
        return None
    return Document.of(voucher) if change.operation is Operation.CREATE else State(voucher["state"])


def run_ledger(ledger: Ledger) -> AbstractContextManager[str]:
    """Serve the ledger until the block ends; its address."""
    return served(type("Handler", (_Handler,), {"ledger": ledger}))
