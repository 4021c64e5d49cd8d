"""Runs a file of `benchmarks/` and keeps its figures with the machine they were seen on."""

import importlib
import json
import os
import platform
import sys
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil

from trueup.domain.errors import Permanent


def machine() -> dict[str, Any]:
    """What a figure depends on: processor, cores, memory, Python."""
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        models = [
            line.split(":", 1)[1].strip()
            for line in information.read_text().splitlines()
            if line.startswith("model name")
        ]
        model = models[0] if models else model
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "python": platform.python_version(),
    }


def run_benchmark(project: Path, name: str) -> dict[str, Any]:
    """Run `benchmarks/<name>.py`'s `run()` and write `benchmarks/results/<name>.json`.

    In a process of its own: what one benchmark leaves in memory is no part of another's figures.
    """
    file = project / "benchmarks" / f"{name}.py"
    if not file.exists():
        raise Permanent(f"no benchmark {file}; run this inside a checkout of the project")
    measured_at = datetime.now(UTC).isoformat(timespec="seconds")
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as process:
        figures = process.submit(_measure, file).result()
    report = {"measured_at": measured_at, "machine": machine(), **figures}
    results = project / "benchmarks" / "results"
    results.mkdir(exist_ok=True)
    (results / f"{name}.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def _measure(file: Path) -> dict[str, Any]:
    # In a process of its own; benchmarks share a server among themselves.
    sys.path.insert(0, str(file.parents[1]))
    figures: dict[str, Any] = importlib.import_module(f"benchmarks.{file.stem}").run()
    return figures
