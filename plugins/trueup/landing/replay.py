"""Replays what landing rejected: a mended record, or deletions that a person has confirmed."""

from datetime import datetime

from trueup.configuration.model import TenantConfiguration
from trueup.contracts.loader import load_contract
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.domain.records import Arrival, Record
from trueup.exceptions.queue import QueuedException
from trueup.exceptions.replay import HandlerOutcome
from trueup.landing.land import land_records


def replay_violation(
    details: ConnectionDetails, configuration: TenantConfiguration, queued: QueuedException, run_id: str, actor: str
) -> HandlerOutcome:
    """Check the kept payload against today's contract and land it as it was observed then. Idempotent."""
    system = configuration.systems.get(queued.system_id or "")
    if system is None or queued.system_id is None or queued.stream is None:
        raise Permanent(f"no system '{queued.system_id}' is declared any more; dismiss exception {queued.exception_id}")
    contract = load_contract(system.connector, queued.stream)
    reasons = contract.checker().violations([queued.payload])
    if reasons:
        return HandlerOutcome(is_done=False, detail=reasons[0])
    record = Record(
        source_key=queued.subject,
        payload=queued.payload,
        source_version=queued.context.get("source_version"),
        occurred_at=_moment(queued.context.get("happened_at")),
        correlation_id=queued.correlation_id,
    )
    report = land_records(
        details,
        configuration,
        queued.system_id,
        queued.stream,
        [record],
        Arrival.REPLAY,
        run_id=run_id,
        as_of=_moment(queued.context.get("occurred_at")),
    )
    if report.violation_count:
        return HandlerOutcome(is_done=False, detail="the warehouse rejects it; see the exception's reason")
    if report.landed_count:
        return HandlerOutcome(is_done=True, detail=f"landed as record {report.last_record_id}, asked for by {actor}")
    if report.late_count:
        return HandlerOutcome(is_done=True, detail="a newer version of the same key has landed since")
    return HandlerOutcome(is_done=True, detail="the same version has landed already")


def _moment(written: str | None) -> datetime | None:
    return None if written is None else datetime.fromisoformat(written)


def accept_deletion(
    details: ConnectionDetails,  # noqa: ARG001 - every handler's shape
    configuration: TenantConfiguration,  # noqa: ARG001
    queued: QueuedException,
    run_id: str,  # noqa: ARG001
    actor: str,
) -> HandlerOutcome:
    """Declare that the records which a sweep did not meet are gone: the next sweep may conclude so many."""
    detail = f"{actor} declares up to {queued.context.get('missing')} records gone; the next sweep concludes it"
    return HandlerOutcome(is_done=True, detail=detail)
