"""The data-quality report as the page shows it: the status of one tenant's gates, grouped and in order of urgency."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from trueup.configuration.tenants import load_tenant, tenant_names
from trueup.domain.connections import Connections
from trueup.domain.errors import Permanent, TrueupError
from trueup.gates.status import GateStatus, NewestVerdict, read_gate_status

_SCHEMAS = ("staging", "canonical", "marts", "reconciliation", "outbox")
_SEVERITIES = ("critical", "warning", "info")


@dataclass(frozen=True, slots=True)
class SuiteReport:
    """One suite: its newest verdicts, what failed first. What is neither failed nor passed had nothing to validate."""

    name: str
    table: str
    verdicts: Sequence[NewestVerdict]
    failed_count: int
    passed_count: int
    worst_severity: str | None


@dataclass(frozen=True, slots=True)
class TenantReport:
    """One tenant on the page. `problem`: why nothing can be shown of it; then `gates` is None."""

    tenant: str
    display_name: str
    partner_name: str | None
    support_contact: str | None
    gates: GateStatus | None
    suites: Sequence[SuiteReport]
    problem: str | None

    @property
    def failed_count(self) -> int:
        """Rules whose newest verdict is a failure, or that could not be validated."""
        return sum(suite.failed_count for suite in self.suites)

    @property
    def expectation_count(self) -> int:
        """Rules that were ever validated."""
        return sum(len(suite.verdicts) for suite in self.suites)

    @property
    def tone(self) -> str:
        """`bad`: a channel is stopped; `warn`: rows in quarantine, a failing rule, a gate to run; else `good`."""
        if self.gates is None or self.gates.stops:
            return "bad"
        run = self.gates.last_run
        is_behind = run is None or run.newest_build_id != run.build_id
        return "warn" if self.gates.quarantined_count or self.failed_count or is_behind else "good"


def list_tenants(folder: Path, chosen: Sequence[str]) -> list[str]:
    """The tenants to show, sorted; one that was chosen and is gone is shown with what is wrong."""
    return sorted(set(chosen)) if chosen else tenant_names(folder)


def report(folder: Path, tenant: str, connections: Connections) -> TenantReport:
    """Everything the page shows of one tenant; what hinders is shown too, not raised."""
    try:
        configuration = load_tenant(folder, tenant)
    except Permanent as error:
        return TenantReport(tenant, tenant, None, None, None, (), str(error))
    branding = configuration.branding
    heading = (tenant, branding.display_name, branding.partner_name, branding.support_contact)
    try:
        found = read_gate_status(connections.get(configuration.warehouse_connection))
    except TrueupError as error:
        return TenantReport(*heading, None, (), str(error))
    return TenantReport(*heading, found, _by_suite(found.verdicts), None)


def _by_suite(verdicts: Sequence[NewestVerdict]) -> list[SuiteReport]:
    suites = [
        _suite(name, sorted(group, key=_urgency))
        for name, group in groupby(sorted(verdicts, key=lambda verdict: verdict.suite), lambda verdict: verdict.suite)
    ]
    return sorted(suites, key=_order_on_page)


def _suite(name: str, verdicts: Sequence[NewestVerdict]) -> SuiteReport:
    failed = [verdict for verdict in verdicts if verdict.is_failing]
    passed = sum(verdict.status == "passed" for verdict in verdicts)
    return SuiteReport(name, verdicts[0].table, verdicts, len(failed), passed, failed[0].severity if failed else None)


def _urgency(verdict: NewestVerdict) -> tuple[bool, int, int, str]:
    return (not verdict.is_failing, _SEVERITIES.index(verdict.severity), -verdict.quarantined_count, verdict.rule_id)


def _order_on_page(suite: SuiteReport) -> tuple[int, int, str]:
    worst = _SEVERITIES.index(suite.worst_severity) if suite.worst_severity else len(_SEVERITIES)
    schema = suite.table.partition(".")[0]
    return (worst, _SCHEMAS.index(schema) if schema in _SCHEMAS else len(_SCHEMAS), suite.table)
