"""Which streams a schedule has to read now: a stream may be polled more seldom than its system."""

from collections.abc import Sequence

from trueup.configuration.model import SystemDeclaration
from trueup.connectors.cadence import stream_interval, swept_streams
from trueup.domain.connections import ConnectionDetails
from trueup.domain.records import ReadMode
from trueup.warehouse.connection import Role, connect


def due_streams(
    details: ConnectionDetails, system: SystemDeclaration, system_id: str, names: Sequence[str], mode: ReadMode
) -> list[str]:
    """Those of the streams `names` that are due, in their order.

    A sweep reads the streams of which polls read the changes only. A poll reads a stream that is polled more seldom
    than its system when its interval has passed, by the warehouse's clock, since a read of it last began that came to
    its end: one that failed is made up for at once.
    """
    if mode is ReadMode.SWEEP:
        swept = swept_streams(system)
        return [name for name in names if name in swept]
    every = {name: stream_interval(system, name).total_seconds() for name in names}
    seldom = [name for name in names if every[name] > system.poll_every_seconds]
    if not seldom:
        return list(names)
    with connect(details, Role.LOADER) as connection:
        rows = connection.execute(
            "select stream, extract(epoch from clock_timestamp() - last_read_started_at)::double precision"
            " from raw.stream_positions"
            " where system_id = %s and stream = any(%s) and last_read_started_at is not null",
            (system_id, seldom),
        ).fetchall()
    ages: dict[str, float] = dict(rows)
    return [name for name in names if name not in ages or ages[name] >= every[name]]
