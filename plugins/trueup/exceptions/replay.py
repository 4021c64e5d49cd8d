"""Puts exceptions back on the line, each kind by the handler of the part that it left.

Handlers are given to it: the queue lies below the parts that fill it. A handler must be idempotent,
since a replay that was killed after the handler's work and before the closing is done again.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from trueup.configuration.model import TenantConfiguration
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import TrueupError
from trueup.exceptions.queue import QueuedException, close_by_id, read_exceptions
from trueup.warehouse.connection import Role, connect

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HandlerOutcome:
    """What a handler came to: back on the line (the exception closes), or why it still cannot be."""

    is_done: bool
    detail: str


Handler = Callable[[ConnectionDetails, TenantConfiguration, QueuedException, str, str], HandlerOutcome]
"""Called with the warehouse, the configuration, the exception, the run's id and the actor."""


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
    handlers: Mapping[str, Handler],
    exception_ids: Sequence[int],
    *,
    run_id: str,
    actor: str,
) -> list[ReplayResult]:
    """Try these exceptions again, one at a time, in the order given; one that fails does not stop the others.

    `handlers`: by kind of exception. A kind without one closes by mending its cause, not by replay.

    `Permanent` where an id does not exist: nothing is replayed then.
    """
    with connect(details, Role.OPERATOR) as connection:
        queued = read_exceptions(connection, list(dict.fromkeys(exception_ids)))
    results = [_replay_one(details, configuration, handlers, each, run_id, actor) for each in queued]
    log.info(
        "replay: %d asked for, %d replayed, run %s",
        len(results),
        sum(result.outcome == "replayed" for result in results),
        run_id,
    )
    return results


def _replay_one(
    details: ConnectionDetails,
    configuration: TenantConfiguration,
    handlers: Mapping[str, Handler],
    queued: QueuedException,
    run_id: str,
    actor: str,
) -> ReplayResult:
    def result(
        outcome: Literal["replayed", "still_failing", "not_open", "not_replayable"], detail: str
    ) -> ReplayResult:
        return ReplayResult(queued.exception_id, queued.kind, queued.subject, outcome, detail)

    if queued.status != "open":
        return result("not_open", f"it is {queued.status} (by {queued.closed_by}); nothing to do")
    handler = handlers.get(queued.kind)
    if handler is None:
        return result("not_replayable", f"there is nothing to send again; {queued.remedy}")
    try:
        outcome = handler(details, configuration, queued, run_id, actor)
    except TrueupError as error:
        return result("still_failing", str(error))
    if not outcome.is_done:
        return result("still_failing", outcome.detail)
    with connect(details, Role.OPERATOR) as connection, connection.transaction():
        close_by_id(
            connection, queued.exception_id, status="replayed", actor=actor, reason=outcome.detail, run_id=run_id
        )
    return result("replayed", outcome.detail)
