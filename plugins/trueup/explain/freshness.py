"""How long a fact took from landing to the verified read-back on the channel, by our own clock."""

from dataclasses import dataclass
from datetime import datetime

from trueup.domain.connections import ConnectionDetails
from trueup.warehouse.connection import Role, connect
from trueup.warehouse.failures import translated


@dataclass(frozen=True, slots=True)
class Freshness:
    """Seconds over the corrections verified in a period; None where there were none."""

    correction_count: int
    p50_seconds: float | None
    p95_seconds: float | None


def freshness(
    details: ConnectionDetails,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    channel: str | None = None,
) -> Freshness:
    """Measure the corrections verified from `since` to before `until`; all there are where not said."""
    with translated("measuring freshness"), connect(details, Role.OPERATOR) as connection:
        row = connection.execute(
            "select count(*), percentile_disc(0.5) within group (order by seconds),"
            " percentile_disc(0.95) within group (order by seconds) from ("
            " select extract(epoch from verified_at - facts_received_at)::double precision as seconds"
            " from outbox.changes where verified_at is not null and facts_received_at is not null"
            " and (%(since)s::timestamptz is null or verified_at >= %(since)s)"
            " and (%(until)s::timestamptz is null or verified_at < %(until)s)"
            " and (%(channel)s::text is null or target_system = %(channel)s)) as verified",
            {"since": since, "until": until, "channel": channel},
        ).fetchone()
    count, middle, late = row or (0, None, None)
    return Freshness(count, None if middle is None else round(middle, 3), None if late is None else round(late, 3))
