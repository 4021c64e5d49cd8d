"""One writer for a target that takes changes of several kinds, each by a writer of its own."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from trueup.connectors.base import Observation, Ticket, TicketWriter, Writer
from trueup.domain.changes import Change, Receipt
from trueup.domain.errors import Permanent


class WriterByCapability:
    """Hands each change to the writer of its capability, such as `order.create`."""

    def __init__(self, writers: Mapping[str, Writer]) -> None:
        self._writers = writers

    def of(self, entities: Collection[str]) -> Writer:
        """What writes changes of these entities alone, by its own measure; this one where none of its writers does."""
        found = {name: writer for name, writer in self._writers.items() if name.partition(".")[0] in entities}
        if len(found) == 1:
            return next(iter(found.values()))
        return WriterByCapability(found) if found else self

    @property
    def batch_size(self) -> int:
        """The most changes that every one of them takes."""
        return min(writer.batch_size for writer in self._writers.values())

    def apply(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        """Send changes of one capability; `Permanent` where the target takes no such changes."""
        return self._of(changes[0]).apply(changes)

    def observe(self, changes: Sequence[Change]) -> Mapping[str, Observation]:
        """Read what the changes are about, each by its own writer."""
        seen: dict[str, Observation] = {}
        for group in _by_capability(changes):
            seen |= self._of(group[0]).observe(group)
        return seen

    def redeem(self, tickets: Sequence[Ticket]) -> Mapping[str, Receipt]:
        """Ask what became of tickets; those of a writer that gives none could not be asked about."""
        receipts: dict[str, Receipt] = {}
        for capability in dict.fromkeys(ticket.change.capability for ticket in tickets):
            writer = self._writers.get(capability)
            if isinstance(writer, TicketWriter):
                receipts |= writer.redeem([ticket for ticket in tickets if ticket.change.capability == capability])
        return receipts

    def close(self) -> None:
        """Close all their connections."""
        for writer in self._writers.values():
            writer.close()

    def _of(self, change: Change) -> Writer:
        writer = self._writers.get(change.capability)
        if writer is None:
            known = ", ".join(sorted(self._writers))
            raise Permanent(f"'{change.target_system}' takes no {change.capability}; it takes {known}")
        return writer


def _by_capability(changes: Sequence[Change]) -> list[list[Change]]:
    groups: defaultdict[str, list[Change]] = defaultdict(list)
    for change in changes:
        groups[change.capability].append(change)
    return list(groups.values())
