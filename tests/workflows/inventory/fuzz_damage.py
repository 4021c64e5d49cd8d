"""Damages single fields of what vendors answer, before a connector sees it."""

import copy
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from trueup.connectors.http.answers import Answer

MISSING = object()
TOO_DEEP: Any = None
# As deep as an answer is read: what is deeper is cut where it is read.
for _ in range(200):
    TOO_DEEP = [TOO_DEEP]

JUNK: Sequence[Any] = (
    MISSING,
    None,
    True,
    "",
    " ",
    "ask",
    "1,250",
    "NaN",
    "Infinity",
    "77777777777",
    "-77777777777",
    "1E+400",
    "1E+1000000",
    "9" * 5000,
    "0.1234567",
    "13/45/2026",
    "2026-02-30T00:00:00Z",
    "2026-06-01T00:00:00+23:00",
    "9999-12-31T23:59:59Z",
    "2199-12-31T23:59:59Z",
    "0001-01-01T00:00:00+14:00",
    "\u00a0\u200b\uff21",
    "lone \ud800 half",
    "nul \x00",
    "pipe|pipe",
    "x" * 20_000,
    "<img src=x onerror=alert(1)>",
    77777777777,
    3_100_000_000,
    -3_100_000_000,
    2**63,
    2**70,
    1e300,
    -0.5,
    [],
    {},
    [None],
    {"junk": {"junk": 1}},
    {"__class__": "datetime", "year": 2026, "month": 13, "day": 1},
    TOO_DEEP,
)

Path = tuple[str | int, ...]
Find = Callable[[Mapping[str, Any] | list[Any]], list[Any] | None]
"""The records in an answer's body, None where it is not the answer with the records."""


@dataclass
class Damager:
    """Damages every so many-th record of the stream being read, always the same one in the same way.

    `share`: of the records. `id_of`: what tells a record from the others, before it is damaged.
    """

    seed: int
    share: float
    is_on: bool = True
    find: Find | None = None
    id_of: Callable[[Mapping[str, Any]], str] | None = None
    damaged: dict[str, tuple[Path, object]] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    now_called: dict[str, str] = field(default_factory=dict)

    def read(self, name: str, find: Find, id_of: Callable[[Mapping[str, Any]], str]) -> None:
        """Begin with another stream."""
        self.name, self.find, self.id_of = name, find, id_of
        self.damaged, self.seen, self.now_called = {}, set(), {}

    @property
    def collisions(self) -> int:
        """How many records have, by their damage, the id of another one: readers take them for one read twice."""
        ids = [self.now_called.get(key, key) for key in self.seen]
        return len(ids) - len(set(ids))

    def __call__(self, answer: Answer) -> Answer:
        """The answer with some of its records damaged."""
        found = None if self.find is None else self.find(answer.body)
        if not found:
            return answer
        body = copy.deepcopy(answer.body)
        records = self.find(body) if self.find is not None else None
        for position, record in enumerate(records or ()):
            key = self.id_of(record) if self.id_of is not None else ""
            self.seen.add(key)
            chance = random.Random(f"{self.seed}|{self.name}|{key}")
            if records is not None and self.is_on and chance.random() < self.share:
                path, junk = chance.choice(list(_paths(record))), chance.choice(JUNK)
                if chance.random() < 0.02:
                    path = ()
                self.damaged[key] = (path, junk)
                records[position] = with_junk(record, path, junk)
                self.now_called[key] = self._id_after(records[position], key)
        return replace(answer, body=body)

    def _id_after(self, damaged: Any, key: str) -> str:  # noqa: ANN401 - JSON
        """What tells the damaged record from the others; where nothing does, it is like no other."""
        try:
            return self.id_of(damaged) if self.id_of is not None else key
        except (TypeError, KeyError, IndexError, AttributeError):
            return f"{key} without an id"


def with_junk(record: Any, path: Path, junk: object) -> Any:  # noqa: ANN401 - JSON
    """The record with junk at the end of the path; at no path, junk in its place."""
    if not path:
        return None if junk is MISSING else copy.deepcopy(junk)
    whole = copy.deepcopy(record)
    place = whole
    for part in path[:-1]:
        place = place[part]
    if junk is MISSING:
        del place[path[-1]]
    else:
        place[path[-1]] = copy.deepcopy(junk)
    return whole


def _paths(value: Any, before: Path = ()) -> list[Path]:  # noqa: ANN401 - JSON
    parts: list[tuple[str | int, Any]] = []
    if isinstance(value, Mapping):
        parts = list(value.items())
    elif isinstance(value, list):
        parts = list(enumerate(value))
    found: list[Path] = []
    for name, inner in parts:
        found += [(*before, name), *_paths(inner, (*before, name))]
    return found
