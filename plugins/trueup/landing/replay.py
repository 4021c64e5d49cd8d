"""Takes a record that broke its contract back onto the line, once the contract or the record has been mended."""

from datetime import datetime

from trueup.contracts.loader import load_contract
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.domain.records import Arrival, Record
from trueup.exceptions.queue import QueuedException
from trueup.exceptions.replay import HandlerOutcome
from trueup.governance.configuration import TenantConfiguration
from trueup.landing.land import land_records


def replay_violation(
    details: ConnectionDetails, configuration: TenantConfiguration, queued: QueuedException, run_id: str, actor: str
) -> HandlerOutcome:
    """Hold the kept payload against today's contract and land it as it was observed then. Idempotent."""
    system = configuration.systems.get(queued.system_id or "")
    if system is None or queued.system_id is None or queued.stream is None:
        raise Permanent(f"no system '{queued.system_id}' is declared any more; dismiss exception {queued.exception_id}")
    contract = load_contract(system.connector, queued.stream)
    reasons = contract.checker().violations([queued.payload])
    if reasons:
        return HandlerOutcome(is_done=False, detail=reasons[0])
    occurred_at = queued.context.get("occurred_at")
    record = Record(
        source_key=queued.subject,
        payload=queued.payload,
        source_version=queued.context.get("source_version"),
        occurred_at=None if occurred_at is None else datetime.fromisoformat(occurred_at),
        correlation_id=queued.correlation_id,
    )
    report = land_records(
        details, configuration, queued.system_id, queued.stream, [record], Arrival.REPLAY, run_id=run_id
    )
    if report.violation_count:
        return HandlerOutcome(is_done=False, detail="the warehouse refuses it; see the exception's reason")
    if report.landed_count:
        return HandlerOutcome(is_done=True, detail=f"landed as record {report.last_record_id}, asked for by {actor}")
    if report.late_count:
        return HandlerOutcome(is_done=True, detail="a newer version of the same key has landed since")
    return HandlerOutcome(is_done=True, detail="the same version has landed already")
