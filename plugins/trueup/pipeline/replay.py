"""Puts exceptions back on the line: which part takes back which kind."""

from collections.abc import Mapping, Sequence
from typing import Final

from trueup.configuration.model import TenantConfiguration
from trueup.corrections.engine.replay import replay_change
from trueup.corrections.policies import POLICIES
from trueup.domain.connections import ConnectionDetails
from trueup.exceptions.queue import QueuedException
from trueup.exceptions.replay import Handler, HandlerOutcome, ReplayResult
from trueup.exceptions.replay import replay as replay_exceptions
from trueup.landing.replay import accept_deletion, replay_violation


def _replay_change(
    details: ConnectionDetails, configuration: TenantConfiguration, queued: QueuedException, run_id: str, actor: str
) -> HandlerOutcome:
    return replay_change(details, configuration, POLICIES, queued, run_id, actor)


HANDLERS: Final[Mapping[str, Handler]] = {
    "contract_violation": replay_violation,
    "correction_exhausted": _replay_change,
    "correction_rejected": _replay_change,
    "mass_deletion_suspected": accept_deletion,
}
"""Kind of exception to what takes it back. A kind that is not here closes by mending its cause, not by replay."""


def replay(
    details: ConnectionDetails,
    configuration: TenantConfiguration,
    exception_ids: Sequence[int],
    *,
    run_id: str,
    actor: str,
) -> list[ReplayResult]:
    """Try these exceptions again, one at a time; see `trueup.exceptions.replay`."""
    return replay_exceptions(details, configuration, HANDLERS, exception_ids, run_id=run_id, actor=actor)
