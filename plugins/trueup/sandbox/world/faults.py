"""Every way a vendor's API lets its callers down, each written once and shared by the simulators.

A rule says which system, which kind, how often (`rate` of the requests it could strike) and at most how often
altogether (`count`). Chance is seeded: the same requests in the same order meet the same faults.
"""

import random
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class FaultKind(StrEnum):
    """What can go wrong. The last column of the design's list, word by word."""

    RATE_LIMITED = "rate_limited"  # 429 with Retry-After
    SERVER_ERROR = "server_error"  # 5xx before anything was done
    SLOW_ANSWER = "slow_answer"
    LOST_ANSWER = "lost_answer"  # the write was made, then the connection closed without an answer
    PARTIAL_SUCCESS = "partial_success"  # asked for in the vendor's code
    DUPLICATE_WEBHOOK = "duplicate_webhook"
    REORDERED_WEBHOOK = "reordered_webhook"
    STALE_CURSOR = "stale_cursor"  # asked for in the vendor's code, when a request carries a cursor
    STILL_TIMESTAMP = "still_timestamp"  # asked for by the world when it writes an entry
    MALFORMED_PAYLOAD = "malformed_payload"  # the answer's JSON is cut off
    MALFORMED_RECORD = "malformed_record"  # one record of an answer has a field of another type
    EXPIRED_TOKEN = "expired_token"  # noqa: S105 - the fault's name, no credential


PROFILES: Mapping[str, Mapping[FaultKind, float]] = {
    "none": {},
    "typical": {
        FaultKind.RATE_LIMITED: 0.005,
        FaultKind.SERVER_ERROR: 0.005,
        FaultKind.SLOW_ANSWER: 0.01,
        FaultKind.LOST_ANSWER: 0.003,
        FaultKind.DUPLICATE_WEBHOOK: 0.02,
        FaultKind.REORDERED_WEBHOOK: 0.02,
        FaultKind.STILL_TIMESTAMP: 0.05,
    },
    "storm": {
        FaultKind.RATE_LIMITED: 0.03,
        FaultKind.SERVER_ERROR: 0.03,
        FaultKind.SLOW_ANSWER: 0.02,
        FaultKind.LOST_ANSWER: 0.02,
        FaultKind.PARTIAL_SUCCESS: 0.02,
        FaultKind.DUPLICATE_WEBHOOK: 0.10,
        FaultKind.REORDERED_WEBHOOK: 0.10,
        FaultKind.STALE_CURSOR: 0.02,
        FaultKind.STILL_TIMESTAMP: 0.15,
        FaultKind.MALFORMED_PAYLOAD: 0.01,
        FaultKind.MALFORMED_RECORD: 0.01,
        FaultKind.EXPIRED_TOKEN: 0.01,
    },
}
EVERY_SYSTEM = "*"


@dataclass(slots=True)
class FaultRule:
    """`system` may be `*`. `path` limits it to requests whose path contains the text, `method` to that method.

    `count` None is without end. `seconds`: how slow a slow answer is, what Retry-After says (real seconds).
    `skip` lets that many requests pass first.
    """

    system: str
    kind: FaultKind
    rate: float = 1.0
    count: int | None = None
    path: str = ""
    method: str = ""
    seconds: float = 1.0
    skip: int = 0
    struck: int = field(default=0, compare=False)

    @classmethod
    def parse(cls, asked: Mapping[str, Any]) -> "FaultRule":
        """From JSON; `ValueError` names what is wrong."""
        unknown = set(asked) - {"system", "kind", "rate", "count", "path", "method", "seconds", "skip"}
        if unknown:
            raise ValueError(f"unknown key {sorted(unknown)} in a fault; known: system, kind, rate, count, path, ...")
        if "kind" not in asked:
            raise ValueError("a fault needs a kind")
        rule = cls(
            system=str(asked.get("system", EVERY_SYSTEM)),
            kind=FaultKind(asked["kind"]),
            rate=float(asked.get("rate", 1.0)),
            count=None if asked.get("count") is None else int(asked["count"]),
            path=str(asked.get("path", "")),
            method=str(asked.get("method", "")).upper(),
            seconds=float(asked.get("seconds", 1.0)),
            skip=int(asked.get("skip", 0)),
        )
        if not 0 <= rule.rate <= 1:
            raise ValueError(f"rate is a share between 0 and 1, not {rule.rate}")
        return rule

    def as_json(self) -> dict[str, Any]:
        """What `/world/faults` shows."""
        return {
            "system": self.system,
            "kind": self.kind.value,
            "rate": self.rate,
            "count": self.count,
            "path": self.path,
            "method": self.method,
            "seconds": self.seconds,
            "skip": self.skip,
            "struck": self.struck,
        }


class Faults:
    """The rules that hold, and the dice."""

    def __init__(self, seed: int = 1) -> None:
        self._lock = threading.Lock()
        self._seed = seed
        self.profile = "none"
        self._rules: list[FaultRule] = []
        self._dice = random.Random(seed)

    @property
    def rules(self) -> Sequence[FaultRule]:
        return tuple(self._rules)

    def use_profile(self, profile: str) -> None:
        """Let a named profile hold; `KeyError` for an unknown name."""
        rules = [FaultRule(EVERY_SYSTEM, kind, rate) for kind, rate in PROFILES[profile].items()]
        self._put(profile, rules)

    def use_rules(self, rules: Iterable[FaultRule]) -> None:
        """Let exactly these rules hold."""
        self._put("custom", list(rules))

    def _put(self, profile: str, rules: list[FaultRule]) -> None:
        with self._lock:
            self.profile = profile
            self._rules = rules
            self._dice = random.Random(f"{self._seed}:{profile}")

    def strikes(self, system_id: str, kind: FaultKind, *, path: str = "", method: str = "") -> bool:
        """Whether this fault happens here and now. Counts it when it does."""
        return self.struck_rule(system_id, kind, path=path, method=method) is not None

    def struck_rule(self, system_id: str, kind: FaultKind, *, path: str = "", method: str = "") -> FaultRule | None:
        """The rule that strikes, None when none does."""
        with self._lock:
            for rule in self._rules:
                if rule.kind is not kind or rule.system not in (EVERY_SYSTEM, system_id):
                    continue
                if rule.path not in path or (rule.method and rule.method != method):
                    continue
                if rule.count is not None and rule.struck >= rule.count:
                    continue
                if rule.skip > 0:
                    rule.skip -= 1
                    continue
                if rule.rate >= 1 or self._dice.random() < rule.rate:
                    rule.struck += 1
                    return rule
        return None
