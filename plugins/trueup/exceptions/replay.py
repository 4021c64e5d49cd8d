"""Puts exceptions back on the line, each kind by the handler of the part that it left.

A handler is named as text and imported when needed: the queue lies below the parts that fill it. It must be
idempotent, since a replay that was killed after the handler's work and before the closing is done again.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Literal

from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, TrueupError
from trueup.exceptions.queue import QueuedException, read_exceptions, settle_exception
from trueup.governance.configuration import TenantConfiguration
from trueup.warehouse.connection import Role, connect

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HandlerOutcome:
    """What a handler came to: back on the line (the exception closes), or why it still cannot be."""

    is_done: bool
    detail: str


Handler = Callable[[ConnectionDetails, TenantConfiguration, QueuedException, str, str], HandlerOutcome]
"""Called with the warehouse, the configuration, the exception, the run's id and the actor."""

HANDLERS: dict[str, str] = {
    "contract_violation": "trueup.landing.replay:replay_violation",
    "correction_exhausted": "trueup.corrections.replay:replay_correction",
    "correction_rejected": "trueup.corrections.replay:replay_correction",
    "sweep_collapsed": "trueup.landing.replay:accept_loss",
}
"""Kind of exception to `module:function`. A kind that is not here closes by mending its cause, not by replay."""


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What became of one exception that was asked for."""

    exception_id: int
    kind: str
    subject: str
    outcome: Literal["replayed", "still_failing", "not_open", "not_replayable"]
    detail: str


def replay(
    details: ConnectionDetails,
    configuration: TenantConfiguration,
    exception_ids: Sequence[int],
    *,
    run_id: str,
    actor: str,
) -> list[ReplayResult]:
    """Try these exceptions again, one at a time, in the order given; one that fails does not stop the others.

    `Permanent` where an id does not exist: nothing is replayed then.
    """
    with connect(details, Role.OPERATOR) as connection:
        queued = read_exceptions(connection, list(dict.fromkeys(exception_ids)))
    results = [_replay_one(details, configuration, each, run_id, actor) for each in queued]
    log.info(
        "replay: %d asked for, %d replayed, run %s",
        len(results),
        sum(result.outcome == "replayed" for result in results),
        run_id,
    )
    return results


def _replay_one(
    details: ConnectionDetails, configuration: TenantConfiguration, queued: QueuedException, run_id: str, actor: str
) -> ReplayResult:
    def result(
        outcome: Literal["replayed", "still_failing", "not_open", "not_replayable"], detail: str
    ) -> ReplayResult:
        return ReplayResult(queued.exception_id, queued.kind, queued.subject, outcome, detail)

    if queued.status != "open":
        return result("not_open", f"it is {queued.status} (by {queued.closed_by}); nothing to do")
    name = HANDLERS.get(queued.kind)
    if name is None:
        return result("not_replayable", f"there is nothing to send again; {queued.remedy}")
    try:
        outcome = _handler(name)(details, configuration, queued, run_id, actor)
    except TrueupError as error:
        return result("still_failing", str(error))
    if not outcome.is_done:
        return result("still_failing", outcome.detail)
    with connect(details, Role.OPERATOR) as connection, connection.transaction():
        settle_exception(
            connection, queued.exception_id, status="replayed", actor=actor, reason=outcome.detail, run_id=run_id
        )
    return result("replayed", outcome.detail)


def _handler(name: str) -> Handler:
    module_name, _, function_name = name.partition(":")
    try:
        handler: Handler = getattr(import_module(module_name), function_name)
    except (ImportError, AttributeError) as error:
        raise Permanent(f"replay handler '{name}' cannot be imported; correct exceptions.replay.HANDLERS") from error
    return handler
