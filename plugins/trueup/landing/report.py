"""What a landing came to, in plain values."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Counts:
    """What transactions did. read = landed (but for concluded tombstones) + unchanged + late + violations.

    `late`: state observed before what had landed of its key. `leaked`: changes a sweep found although the cursor had
    passed them. `tombstones` are among `landed`. `unconfirmed_deletions`: keys that a sweep did not meet, too many
    to be deleted without a person. `damaged` are pieces that could not be read as records.
    """

    pages: int = 0
    read: int = 0
    landed: int = 0
    unchanged: int = 0
    late: int = 0
    tombstones: int = 0
    unconfirmed_deletions: int = 0
    violations: int = 0
    damaged: int = 0
    leaked: int = 0
    first_record_id: int | None = None
    last_record_id: int | None = None
    drifts: list[str] = field(default_factory=list)

    def add(self, other: "Counts") -> None:
        """Add a later transaction's."""
        self.pages += other.pages
        self.read += other.read
        self.landed += other.landed
        self.unchanged += other.unchanged
        self.late += other.late
        self.tombstones += other.tombstones
        self.unconfirmed_deletions += other.unconfirmed_deletions
        self.violations += other.violations
        self.damaged += other.damaged
        self.leaked += other.leaked
        self.first_record_id = other.first_record_id if self.first_record_id is None else self.first_record_id
        self.last_record_id = self.last_record_id if other.last_record_id is None else other.last_record_id
        self.drifts += other.drifts


@dataclass(frozen=True, slots=True)
class LandingReport:
    """One read of one stream. `mode`: poll, sweep, or how records came that nobody asked for (webhook, file, replay).

    `is_conclusive`: all there is was shown and could be read, so a sweep has concluded deletions. `drifted_fields`:
    met, landed and not in the contract. `unconfirmed_deletion_count`: keys that a sweep did not meet, too many to be
    deleted without a person.
    """

    system_id: str
    stream: str
    mode: str
    run_id: str
    page_count: int
    read_count: int
    landed_count: int
    unchanged_count: int
    late_count: int
    tombstone_count: int
    unconfirmed_deletion_count: int
    violation_count: int
    damaged_count: int
    leaked_count: int
    is_conclusive: bool
    drifted_fields: tuple[str, ...]
    first_record_id: int | None
    last_record_id: int | None
    elapsed_seconds: float
