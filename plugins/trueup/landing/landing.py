"""One read or delivery of one stream, as all its transactions share it."""

from dataclasses import dataclass, field
from datetime import datetime

from trueup.contracts.check import Checker
from trueup.domain.records import Arrival, Cursor
from trueup.warehouse.streams import Position, Stream


@dataclass(slots=True)
class Landing:
    """One read, or one delivery, of one stream; shared by all its transactions.

    `read_started_at`: our clock, None for records that nobody asked for. `before`: where the stream stood then.
    `is_polled_whole`: every poll of the stream reads all there is, so none can miss a change.
    `has_rejected`: a record could not land that was not rejected before. `reached`: how far it came since.
    """

    stream: Stream
    connector: str
    checker: Checker
    arrival: Arrival
    mode: str
    run_id: str
    started_at: datetime
    read_started_at: datetime | None
    before: Position
    is_polled_whole: bool = False
    reported_drifts: set[str] = field(default_factory=set)
    has_rejected: bool = False
    reached: Cursor | None = None

    @property
    def is_sweep(self) -> bool:
        """Whether everything there is, is being read."""
        return self.arrival is Arrival.SWEEP


@dataclass(frozen=True, slots=True)
class Completion:
    """A read that reached its end. `as_of`: the source's clock at its first page, None where it had none.

    `is_conclusive`: all there is was shown and could be read. Only then may a sweep say what is gone. `covers_since`:
    of records that happened before then it says nothing; None where it covers records of any age.
    """

    as_of: datetime | None
    is_conclusive: bool
    covers_since: datetime | None = None
