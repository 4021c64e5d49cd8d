"""The seams every connector fills: read streams, write corrections, tell whether it can be reached.

A connector is built from a `SystemDeclaration` and `ConnectionDetails`; building one does no I/O.
Batches raise `Permanent` or `Transient`; single corrections come back as receipts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from trueup.domain.corrections import Correction, Receipt
from trueup.domain.records import Cursor, Page, ReadMode


@dataclass(frozen=True, slots=True)
class Observation:
    """What a channel's record showed. `value` None: read, and the record is not there."""

    record_id: str
    value: int | None
    as_of: datetime


class Reader(Protocol):
    """Reads a system's streams, a page at a time."""

    def read(self, stream: str, mode: ReadMode, cursor: Cursor | None) -> Iterator[Page]:
        """Yield the pages of one read of one stream.

        A poll starts at `cursor` (None: from the beginning). A sweep yields everything, or everything that happened
        since each page's `covers_since`; it ends with a page whose `is_last` is true, and never reports a page it
        could not read as empty: it raises.
        """
        ...


class Writer(Protocol):
    """Writes quantities to a channel and reads them back."""

    @property
    def batch_size(self) -> int:
        """The most corrections one call takes."""
        ...

    def apply(self, corrections: Sequence[Correction]) -> Sequence[Receipt]:
        """Send one call's worth (at most `batch_size`); exactly one receipt for each, in order."""
        ...

    def observe(self, record_ids: Sequence[str]) -> Mapping[str, Observation]:
        """Read the named records as they are now. A record left out could not be read: unknown."""
        ...

    def close(self) -> None:
        """Close the connections to the channel; the next request opens new ones."""
        ...


class Probe(Protocol):
    """Airflow's "Test" button and `trueup tenant check --connect`."""

    def check(self) -> str:
        """Make one cheap authenticated call; return what was reached, raise what is wrong."""
        ...


class Connector(Reader, Probe, Protocol):
    """What every system has; channels that take corrections are a `Writer` as well."""

    def close(self) -> None:
        """Close the connections to the system; the next request opens new ones."""
        ...
