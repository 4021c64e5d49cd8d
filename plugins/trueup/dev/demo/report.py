"""What happened, as facts: counted from the warehouse, the world and the baseline, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trueup.dev.demo.verification import OrderVerification, ParcelVerification
from trueup.explain.freshness import freshness
from trueup.gates.status import read_gate_status
from trueup.pipeline.tenant import Tenant
from trueup.warehouse.connection import Role, connect


@dataclass(frozen=True, slots=True)
class Oversale:
    """One order's units that nobody had, and the hop whose lag allowed it."""

    channel: str
    order: str
    sku: str
    units: int
    sold_at: str
    hop: str
    why: str


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What the demo came to.

    `is_converged`: by the world's own books every listing shows what the rules say, the ERP has every order and every
    credit, and the shops' customers know what left.

    `orders`: what the shops took and gave back, compared with the ERP's books; None where no orders are booked.
    `parcels`: what left, compared with what the shops' customers were told; None where no channel is told.
    `returns`: changes of credits and refunds, by target and how each stands.

    `failing_rules`: rules of the gates whose newest verdict, over everything, is a failure.
    Units unless a name says otherwise; freshness in seconds, from landing to the verified read-back.
    """

    is_converged: bool
    engine: str
    seed: int
    faults: str
    world_seconds: int
    sku_count: int
    location_count: int
    channel_count: int
    listing_count: int
    wrong_at_start: int
    overstated_at_start: int
    wrong_at_end: int
    orders: OrderVerification | None
    parcels: ParcelVerification | None
    returns: Mapping[str, Mapping[str, int]]
    oversold_units: int
    lost_units: int
    naive_oversold_units: int
    naive_lost_units: int
    oversales: tuple[Oversale, ...]
    pushed: Mapping[str, Mapping[str, int]]
    causes: Mapping[str, int]
    on_hold: int
    hold_reasons: Mapping[str, int]
    rejected_reasons: Mapping[str, int]
    quarantined: Mapping[str, int]
    failing_rules: tuple[str, ...]
    exceptions: Mapping[str, int]
    records_landed: Mapping[str, int]
    leaks: Mapping[str, int]
    freshness_p50_seconds: float | None
    freshness_p95_seconds: float | None
    peak_memory_mib: int
    seconds: float
    look_at: Mapping[str, str] = field(default_factory=dict)


def count_facts(tenant: Tenant) -> dict[str, Any]:
    """The counts that the warehouse keeps, under the report's names."""
    with connect(tenant.warehouse, Role.OPERATOR) as connection:

        def counts(query: str) -> dict[str, int]:
            return {str(name): int(number) for name, number in connection.execute(query.encode()).fetchall()}

        pushed: dict[str, dict[str, int]] = {}
        returns: dict[str, dict[str, int]] = {}
        for target, status, entity, number in connection.execute(
            "select target_system, status, entity, count(*) from outbox.changes group by 1, 2, 3 order by 1, 2, 3"
        ).fetchall():
            counted = pushed.setdefault(target, {})
            counted[status] = counted.get(status, 0) + int(number)
            if entity == "refund":
                returns.setdefault(target, {})[status] = int(number)
        hold_reasons = counts(
            "select target_system || ': ' || reason || ' (' || coalesce(decision, 'open') || ')', sum(correction_count)"
            " from outbox.holds group by 1 order by 2 desc"
        )
        facts = {
            "pushed": pushed,
            "returns": returns,
            "causes": counts("select cause, count(*) from outbox.changes group by cause order by 2 desc"),
            "on_hold": sum(hold_reasons.values()),
            "hold_reasons": hold_reasons,
            "rejected_reasons": counts(
                "select target_system || ': ' || coalesce(status_reason, 'no reason given'), count(*)"
                " from outbox.changes where status = 'rejected' group by 1 order by 2 desc"
            ),
            "quarantined": counts(
                "select rule_id, count(*) from gates.withheld where kind = 'quarantine'"
                " group by rule_id order by 2 desc"
            ),
            "exceptions": counts(
                "select kind, count(*) from exceptions.queue where status = 'open' group by kind order by 2 desc"
            ),
            "records_landed": counts(
                "select system_id || '.' || stream, sum(landed_count) from audit.landings group by 1 order by 1"
            ),
            "leaks": counts(
                "select system_id || '.' || stream, sum(leaked_count) from audit.landings"
                " group by 1 having sum(leaked_count) > 0 order by 1"
            ),
            "sku_count": counts("select 'skus', count(*) from canonical.products")["skus"],
        }
    verdicts = read_gate_status(tenant.warehouse).verdicts
    facts["failing_rules"] = tuple(sorted(verdict.rule_id for verdict in verdicts if verdict.is_failing))
    fresh = freshness(tenant.warehouse)
    facts["freshness_p50_seconds"] = fresh.p50_seconds
    facts["freshness_p95_seconds"] = fresh.p95_seconds
    return facts
