"""The steps of the line, in order. Each may be repeated, killed and run twice."""

import logging
from contextlib import ExitStack, closing
from dataclasses import dataclass

from trueup.corrections.engine.correct import CorrectionReport
from trueup.corrections.engine.correct import correct as send_changes
from trueup.corrections.engine.proposal import ProposalReport
from trueup.corrections.engine.propose import propose as propose_changes
from trueup.corrections.policies import POLICIES
from trueup.domain.records import ReadMode
from trueup.explain.differences import DifferenceCount, count_differences
from trueup.findings import FINDINGS
from trueup.gates.docs import build_data_docs
from trueup.gates.run import GateReport, run_gates
from trueup.landing.land import land_system
from trueup.landing.report import LandingReport
from trueup.pipeline.tenant import Tenant
from trueup.transform.build import BuildReport
from trueup.transform.build import build as build_tables
from trueup.warehouse.connection import Role, connect
from trueup.warehouse.migrate import create_database, migrate
from trueup.warehouse.registry import apply_configuration

log = logging.getLogger(__name__)


def prepare(tenant: Tenant, actor: str) -> bool:
    """Create the warehouse where there is none, migrate it, apply the tenant's configuration.

    True where the files were new. Safe to repeat.
    """
    create_database(tenant.warehouse)
    migrate(tenant.warehouse)
    with connect(tenant.warehouse, Role.CONFIGURATOR) as connection:
        return apply_configuration(connection, tenant.configuration, actor)


def land(
    tenant: Tenant,
    system_id: str,
    *,
    run_id: str,
    mode: ReadMode = ReadMode.POLL,
    streams: tuple[str, ...] | None = None,
    is_due_only: bool = False,
) -> list[LandingReport]:
    """Read one system's streams into raw. `is_due_only`: those that a schedule has to read now."""
    with tenant.shared_state(Role.LOADER) as state, closing(tenant.connector(system_id, state)) as connector:
        return land_system(
            tenant.warehouse,
            tenant.configuration,
            system_id,
            connector,
            mode=mode,
            run_id=run_id,
            streams=streams,
            is_due_only=is_due_only,
        )


def build(tenant: Tenant, *, run_id: str, actor: str, is_full_refresh: bool = False) -> BuildReport:
    """Apply a changed configuration and bring canonical and marts up to date with raw."""
    with connect(tenant.warehouse, Role.CONFIGURATOR) as connection:
        apply_configuration(connection, tenant.configuration, actor)
    return build_tables(
        tenant.warehouse, tenant.configuration, FINDINGS, run_id=run_id, is_full_refresh=is_full_refresh
    )


def gate(tenant: Tenant, *, run_id: str, is_full: bool = False) -> GateReport:
    """Validate what the newest build wrote, or everything."""
    return run_gates(tenant.warehouse, tenant.configuration, run_id=run_id, is_full=is_full)


def propose(tenant: Tenant, *, run_id: str, actor: str) -> ProposalReport:
    """Put what may be pushed into the outbox, and hold what a person must see."""
    return propose_changes(tenant.warehouse, tenant.configuration, POLICIES, run_id=run_id, actor=actor)


def correct(tenant: Tenant, *, run_id: str, actor: str) -> CorrectionReport:
    """Push what is due, read it back, resolve what was unconfirmed."""
    with tenant.shared_state(Role.OPERATOR) as state, ExitStack() as opened:
        writers = tenant.writers(state)
        for writer in writers.values():
            opened.callback(writer.close)
        return send_changes(tenant.warehouse, tenant.configuration, POLICIES, writers, run_id=run_id, actor=actor)


@dataclass(frozen=True, slots=True)
class ReconciliationReport:
    """Everything validated again, and what the targets still show wrong."""

    build: BuildReport
    gates: GateReport
    listing_count: int
    differences: tuple[DifferenceCount, ...]


def reconcile(tenant: Tenant, *, run_id: str, actor: str) -> ReconciliationReport:
    """Build, validate every row, and count the differences by target and cause."""
    built = build(tenant, run_id=run_id, actor=actor)
    gates = gate(tenant, run_id=run_id, is_full=True)
    with connect(tenant.warehouse, Role.OPERATOR) as connection:
        listings = connection.execute("select count(*) from canonical.channel_listings where is_listed").fetchone()
        differences = count_differences(connection)
    return ReconciliationReport(
        build=built,
        gates=gates,
        listing_count=int(listings[0]) if listings else 0,
        differences=differences,
    )


def document(tenant: Tenant) -> None:
    """Build the Data Docs from the latest verdicts."""
    build_data_docs(tenant.warehouse, tenant.docs_folder)
