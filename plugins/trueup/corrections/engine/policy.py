"""What the engine asks of a workflow. A policy is data and a few pure functions; adding one changes no line here.

The view of a workflow's changes, `outbox.<changes_view>`, has one row for each change that is wanted now:

    entity, operation, target_system, record_ref, field, subject_key   what, where, and about whom
    expected, desired            jsonb, see `trueup.domain.values`; expected null: nothing was observed
    size                         signed, in the measure of the guards; a change twice as far has twice the size
    cause, priority              why, and the order of harm: lower goes first
    facts_version, facts_as_of, facts_received_at, correlation_id      what it was decided from
    owner_system, decided_from   whose field it is (null: computed here), and the owner's record behind the decision
    refused_because              null, or why it must not be written at all

It holds no row that a record's last change has already answered, and knows nothing of gates and switches.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import IntEnum
from typing import LiteralString

from trueup.configuration.model import TenantConfiguration
from trueup.domain.changes import Change, Operation
from trueup.domain.values import Document, State, Value


class Approvals(IntEnum):
    """How many people must say yes; who proposed a change is none of them."""

    NOBODY = 0
    ONE_PERSON = 1
    TWO_PEOPLE = 2


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may push to one target by itself, and how carefully.

    `largest_share`: of the target's records, once `largest_share_applies_from` would change. `largest_size`: of one
    change; `largest_total`: of all changes of a run, sizes without their signs. None: no such guard.
    `canary_share`: of a run's changes, sent and read back before the rest; 0: no canary.
    `attempts`: after so many that did not happen, or did not verify, it goes to the exception queue.
    """

    largest_share: Decimal | None = None
    largest_share_applies_from: int = 0
    largest_size: int | None = None
    largest_total: int | None = None
    canary_share: Decimal = Decimal(0)
    attempts: int = 5


@dataclass(frozen=True, slots=True)
class Target:
    """Where a workflow's changes go: a channel, or a system, by its declared name.

    `system_id`: the system behind it, for exceptions. `read_stream`: the stream of that system that shows the records;
    None where nothing is read of them. `field`: the only one that may be written there; None: any. `always`: who must
    approve every change of this target; None: as the policy says.
    """

    name: str
    system_id: str
    limits: Limits
    is_enabled: bool = True
    read_stream: str | None = None
    field: str | None = None
    always: Approvals | None = None


@dataclass(frozen=True, slots=True)
class Population:
    """The records of a target that a share is taken of: one row each in `relation` where `condition` holds.

    `relation` and `condition` are SQL of the workflow's own tables; `target_column` names the target's.
    """

    relation: str
    target_column: str
    condition: LiteralString
    noun: str


def never_explained(_change: Change, _observed: Value) -> str | None:
    """What is read back must be what was written: nothing explains another value."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One workflow.

    `fields`: all that its changes may write of its entities. `targets`: every target of a tenant.
    `measure`: what `size` counts, in the plural.
    `beyond_guards`: who must approve what the limits do not allow; `always`: who must approve every change.
    `explains`: why a target may show another value than it took, such as a sale that came between; None where nothing
    accounts for it. `starts_from`: for each state, the states that a transition to it may start from; states move
    forward only, so no state may be reached from itself. `remedy`: where to look when a change must not be written.
    """

    workflow: str
    entities: tuple[str, ...]
    fields: tuple[str, ...]
    changes_view: str
    targets: Callable[[TenantConfiguration], Sequence[Target]]
    measure: str
    remedy: str
    population: Population | None = None
    beyond_guards: Approvals = Approvals.ONE_PERSON
    always: Approvals = Approvals.NOBODY
    explains: Callable[[Change, Value], str | None] = never_explained
    starts_from: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        backwards = [state for state in self.starts_from if state in self.states_before(state)]
        if backwards:
            raise ValueError(f"{self.workflow}: {', '.join(backwards)} can be reached again; states move forward only")

    def states_before(self, state: str) -> frozenset[str]:
        """Every state that a record may have come from, in any number of steps."""
        found: set[str] = set()
        waiting = [state]
        while waiting:
            for former in self.starts_from.get(waiting.pop(), frozenset()) - found:
                found.add(former)
                waiting.append(former)
        return frozenset(found)

    def is_done(self, change: Change, observed: Value) -> bool:
        """Whether the record is as the change wants it: a document has its fields, a state is reached or passed."""
        if isinstance(change.desired, Document) and isinstance(observed, Document):
            return _contains(observed.content, change.desired.content)
        if change.operation is Operation.TRANSITION and isinstance(observed, State):
            return observed == change.desired or str(change.desired) in self.states_before(observed.name)
        return observed == change.desired


def _contains(found: object, wanted: object) -> bool:
    """Whether all that is wanted was found; a target adds fields of its own, and a list is compared whole."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(
            key in found and _contains(found[key], inner) for key, inner in wanted.items()
        )
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        return (
            isinstance(found, Sequence)
            and not isinstance(found, str)
            and len(found) == len(wanted)
            and all(_contains(one, other) for one, other in zip(found, wanted, strict=True))
        )
    return found == wanted and isinstance(found, bool) == isinstance(wanted, bool)
