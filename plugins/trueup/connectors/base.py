"""The seams every connector fills: read streams, write changes, tell whether it can be reached.

A connector is built from a `SystemDeclaration` and `ConnectionDetails`; building one does no I/O.
Batches raise `Permanent` or `Transient`; single changes come back as receipts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from trueup.domain.changes import Change, Receipt
from trueup.domain.records import Cursor, Page, ReadMode
from trueup.domain.values import Value


@dataclass(frozen=True, slots=True)
class Observation:
    """What a record showed. `value` None: read, and the record (or that field of it) is not there."""

    record_ref: str
    value: Value | None
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
    """Writes changes to a target and reads back what became of them."""

    @property
    def batch_size(self) -> int:
        """The most changes one call takes."""
        ...

    def apply(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        """Send one call's worth (at most `batch_size`, all of one capability); one receipt for each, in order."""
        ...

    def observe(self, changes: Sequence[Change]) -> Mapping[str, Observation]:
        """Read what the changes are about as it is now, by the changes' keys; nothing is written.

        A record that a change shall create is looked up by its external id (`record_ref`): the value is the document
        found. A change left out could not be read: unknown.
        """
        ...

    def close(self) -> None:
        """Close the connections to the target; the next request opens new ones."""
        ...


@dataclass(frozen=True, slots=True)
class Ticket:
    """A change that the target accepted and has not carried out yet. `ticket`: what the target gave to ask by."""

    change: Change
    ticket: str


@runtime_checkable
class TicketWriter(Protocol):
    """What a writer has beside whose target answers some writes with a ticket (`Outcome.PENDING`)."""

    def redeem(self, tickets: Sequence[Ticket]) -> Mapping[str, Receipt]:
        """Ask what became of tickets, by the changes' keys; a change left out could not be asked about.

        A receipt that is pending still carries the ticket to ask by the next time.
        """
        ...


class Probe(Protocol):
    """Airflow's "Test" button and `trueup tenant check --connect`."""

    def check(self) -> str:
        """Make one cheap authenticated call; return what was reached, raise what is wrong."""
        ...


class Connector(Reader, Probe, Protocol):
    """What every system has; what takes changes has a `Writer` as well."""

    def close(self) -> None:
        """Close the connections to the system; the next request opens new ones."""
        ...
