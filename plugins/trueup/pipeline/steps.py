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
from trueup.gates.docs import build_data_docs
from trueup.gates.run import GateReport, run_gates
from trueup.landing.land import land_system
from trueup.landing.report import LandingReport
from trueup.pipeline.tenant import Retailer
from trueup.transform.build import BuildReport
from trueup.transform.build import build as build_tables
from trueup.warehouse.connection import Role, connect
from trueup.warehouse.migrate import create_database, migrate
from trueup.warehouse.registry import put_in_force

log = logging.getLogger(__name__)


def prepare(retailer: Retailer, actor: str) -> bool:
    """Create the warehouse where there is none, migrate it, put the tenant's files in force.

    True where the files were new. Safe to repeat.
    """
    create_database(retailer.warehouse)
    migrate(retailer.warehouse)
    with connect(retailer.warehouse, Role.CONFIGURATOR) as connection:
        return put_in_force(connection, retailer.configuration, actor)


def land(
    retailer: Retailer,
    system_id: str,
    *,
    run_id: str,
    mode: ReadMode = ReadMode.POLL,
    streams: tuple[str, ...] | None = None,
) -> list[LandingReport]:
    """Read one system's streams into raw."""
    with retailer.shared_state(Role.LOADER) as state, closing(retailer.connector(system_id, state)) as connector:
        return land_system(
            retailer.warehouse,
            retailer.configuration,
            system_id,
            connector,
            mode=mode,
            run_id=run_id,
            streams=streams,
        )


def build(retailer: Retailer, *, run_id: str, actor: str, is_full_refresh: bool = False) -> BuildReport:
    """Put changed declarations in force and bring canonical and marts up to date with raw."""
    with connect(retailer.warehouse, Role.CONFIGURATOR) as connection:
        put_in_force(connection, retailer.configuration, actor)
    return build_tables(retailer.warehouse, retailer.configuration, run_id=run_id, is_full_refresh=is_full_refresh)


def gate(retailer: Retailer, *, run_id: str, is_full: bool = False) -> GateReport:
    """Judge what the newest build wrote, or everything."""
    return run_gates(retailer.warehouse, retailer.configuration, run_id=run_id, is_full=is_full)


def propose(retailer: Retailer, *, run_id: str, actor: str) -> ProposalReport:
    """Put what may be pushed into the outbox, and hold what a person must see."""
    return propose_changes(retailer.warehouse, retailer.configuration, POLICIES, run_id=run_id, actor=actor)


def correct(retailer: Retailer, *, run_id: str, actor: str) -> CorrectionReport:
    """Push what is due, read it back, settle what was in doubt."""
    with retailer.shared_state(Role.OPERATOR) as state, ExitStack() as opened:
        writers = retailer.writers(state)
        for writer in writers.values():
            opened.callback(writer.close)
        return send_changes(retailer.warehouse, retailer.configuration, POLICIES, writers, run_id=run_id, actor=actor)


@dataclass(frozen=True, slots=True)
class ReconciliationReport:
    """Everything judged again, and what the targets still show wrong."""

    build: BuildReport
    gates: GateReport
    listing_count: int
    differences: tuple[DifferenceCount, ...]


def reconcile(retailer: Retailer, *, run_id: str, actor: str) -> ReconciliationReport:
    """Build, judge every row, and count the differences by target and cause."""
    built = build(retailer, run_id=run_id, actor=actor)
    gates = gate(retailer, run_id=run_id, is_full=True)
    with connect(retailer.warehouse, Role.OPERATOR) as connection:
        listings = connection.execute("select count(*) from canonical.channel_listings where is_listed").fetchone()
        differences = count_differences(connection)
    return ReconciliationReport(
        build=built,
        gates=gates,
        listing_count=int(listings[0]) if listings else 0,
        differences=differences,
    )


def document(retailer: Retailer) -> None:
    """Build the Data Docs from the latest verdicts."""
    build_data_docs(retailer.warehouse, retailer.docs_folder)
