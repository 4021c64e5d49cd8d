"""What a demo is asked to be."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class EngineName(StrEnum):
    """Who runs the line: a real Airflow, or this process."""

    AIRFLOW = "airflow"
    DIRECT = "direct"


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """`days` of trading; `speed` world seconds a second (Airflow); `step_seconds` of the world a cycle (direct)."""

    engine: EngineName = EngineName.AIRFLOW
    seed: int = 1
    skus: int = 500
    days: int = 1
    faults: str = "typical"
    world_file: Path | None = None
    speed: float = 120.0
    step_seconds: int = 900
    naive_poll_minutes: int = 15
