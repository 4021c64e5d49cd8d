"""What the tasks do: one call to a step of the line each, with its two failures in Airflow's terms.

`Permanent` fails the task at once; `Transient` lets Airflow try again. A step that found nothing to
do is skipped, so that it triggers no DAG.
"""

import functools
import logging
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    AirflowTaskTimeout,
)

from trueup.domain.errors import Permanent, Transient
from trueup.orchestration.connections import AirflowConnections
from trueup.orchestration.settings import state_folder, tenants_folder

log = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")

ACTOR = "airflow"
APPROVE, REJECT = "Approve", "Reject"


def in_airflow_terms(body: Callable[P, R]) -> Callable[P, R]:
    """Translate our two failures to Airflow's, once for all tasks."""

    @functools.wraps(body)
    def in_terms(*arguments: P.args, **options: P.kwargs) -> R:
        from trueup.pipeline.failures import in_plain_words

        try:
            with in_plain_words(body.__name__):
                return body(*arguments, **options)
        except Permanent as error:
            raise AirflowFailException(str(error)) from error
        except Transient as error:
            raise AirflowException(str(error)) from error
        except AirflowTaskTimeout as error:
            raise AirflowException(
                f"{body.__name__} was broken off: it ran for longer than a step may; look in the log for what it waited"
                " for, and in pg_stat_activity of the warehouse; the work is repeated by the next run"
            ) from error

    return in_terms


def _open(tenant: str) -> Any:  # noqa: ANN401 - Tenant is imported late: parsing must not pay for it
    from trueup.pipeline.tenant import open_tenant

    return open_tenant(tenants_folder(), tenant, AirflowConnections(), state_folder())


def _run_id() -> str:
    return str(get_current_context()["run_id"])


def report_broken(mistakes: str) -> None:
    """Fail with what a person has to mend in a tenant's files."""
    raise AirflowFailException(mistakes)


@in_airflow_terms
def land(tenant: str, system: str, mode: str) -> None:
    """Poll or sweep what is due of one system; skipped where nothing was new."""
    from trueup.domain.records import ReadMode
    from trueup.pipeline import steps

    reports = steps.land(_open(tenant), system, run_id=_run_id(), mode=ReadMode(mode), is_due_only=True)
    landed = sum(report.landed_count for report in reports)
    log.info("%s.%s %s: %d landed over %d streams", tenant, system, mode, landed, len(reports))
    if not landed:
        raise AirflowSkipException(f"{system} has nothing new")


@in_airflow_terms
def build(tenant: str) -> None:
    """Bring canonical and marts up to date with raw."""
    from trueup.pipeline import steps

    report = steps.build(_open(tenant), run_id=_run_id(), actor=ACTOR)
    log.info("%s build: %s", tenant, report)


@in_airflow_terms
def gate(tenant: str) -> None:
    """Validate what the build wrote. A failed expectation quarantines or stops; it does not fail the task."""
    from trueup.pipeline import steps

    report = steps.gate(_open(tenant), run_id=_run_id())
    log.info("%s gates: %s", tenant, report)


@in_airflow_terms
def propose(tenant: str, outlet_events: Any = None) -> None:  # noqa: ANN401 - Airflow fills it in
    """Fill the outbox; skipped, so that it triggers no DAG, where nothing is due and nothing new is on hold."""
    from trueup.corrections.engine.due import due_count
    from trueup.orchestration.assets import holds_asset, holds_trigger
    from trueup.pipeline import steps

    opened = _open(tenant)
    report = steps.propose(opened, run_id=_run_id(), actor=ACTOR)
    log.info("%s proposed: %s", tenant, report)
    if any(channel.hold_id is not None for channel in report.channels):
        outlet_events[holds_trigger(tenant)].add(holds_asset(tenant))
    elif not due_count(opened.warehouse):
        raise AirflowSkipException("nothing is due")


@in_airflow_terms
def correct(tenant: str) -> None:
    """Push what is due and read it back."""
    from trueup.pipeline import steps

    report = steps.correct(_open(tenant), run_id=_run_id(), actor=ACTOR)
    log.info("%s corrected: %s", tenant, report)


@in_airflow_terms
def list_holds(tenant: str) -> list[dict[str, Any]]:
    """The holds that a person has to decide, as questions; skipped where there are none."""
    from trueup.corrections.engine.holds import open_holds

    holds = open_holds(_open(tenant).warehouse)
    if not holds:
        raise AirflowSkipException("nothing is on hold")
    return [
        {
            "hold_id": hold.hold_id,
            "subject": f"{tenant}: {hold.correction_count} corrections on hold for {hold.target_system}: push them?",
            "body": f"{hold.reason}\n\nApprove pushes them with the next run; Reject drops them.",
        }
        for hold in holds
    ]


@in_airflow_terms
def decide_hold(tenant: str, hold: dict[str, Any], answer: dict[str, Any]) -> None:
    """Release or drop one hold, in the name of who answered; nobody in time means Reject."""
    from trueup.corrections.engine.holds import Decision
    from trueup.corrections.engine.holds import decide_hold as decide

    decision: Decision = "approved" if answer["chosen_options"] == [APPROVE] else "rejected"
    responder = answer.get("responded_by_user")
    actor = responder["name"] if responder else f"{ACTOR}: nobody answered in time"
    decide(_open(tenant).warehouse, hold["hold_id"], decision, actor)


@in_airflow_terms
def reconcile(tenant: str) -> None:
    """Validate everything again and log what the channels still show wrong."""
    from trueup.pipeline import steps

    report = steps.reconcile(_open(tenant), run_id=_run_id(), actor=ACTOR)
    log.info("%s: %d listings, differences: %s", tenant, report.listing_count, report.differences)


@in_airflow_terms
def document(tenant: str) -> None:
    """Build the Data Docs."""
    from trueup.pipeline import steps

    steps.document(_open(tenant))


@in_airflow_terms
def housekeep(tenant: str) -> None:
    """Prune the trails that only serve watching."""
    from trueup.pipeline.housekeeping import prune

    log.info("%s pruned: %s", tenant, prune(_open(tenant), run_id=_run_id(), actor=ACTOR))


@in_airflow_terms
def replay(tenant: str, exception_ids: list[int]) -> None:
    """Try again what left the line."""
    from trueup.pipeline.replay import replay as replay_exceptions

    opened = _open(tenant)
    log.info(
        "%s replayed: %s",
        tenant,
        replay_exceptions(opened.warehouse, opened.configuration, exception_ids, run_id=_run_id(), actor=ACTOR),
    )
