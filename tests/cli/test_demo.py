"""The demo from the command line, as a newcomer runs it: it converges, says so, and leaves nothing running."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

PROJECT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.timeout(600)


def test_the_direct_demo_converges_and_leaves_no_process(reachable_folder: Path) -> None:
    """Also the contract of `--json`: one document on standard output, whatever else is said."""
    state = reachable_folder / "demo-state"
    state.mkdir()
    answer = subprocess.run(
        [
            sys.executable,
            "-m",
            "trueup.cli.main",
            "demo",
            "--engine",
            "direct",
            "--skus",
            "60",
            "--step",
            "7200",
            "--json",
        ],
        env={**os.environ, "TRUEUP_STATE_FOLDER": str(state)},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=580,
    )
    assert answer.returncode == 0, answer.stdout[-2000:] + answer.stderr[-3000:]
    report = json.loads(answer.stdout)
    assert report["is_converged"] is True
    assert report["wrong_at_start"] >= 0.1 * report["listing_count"]
    assert report["wrong_at_end"] == 0
    assert report["failing_rules"] == []
    # What no channel had ever taken from us was wrong before we came.
    assert report["causes"]["not_synced_yet"] >= report["wrong_at_start"]
    assert report["orders"]["order_count"] > 0
    assert not any(report["orders"][kind] for kind in ("missing", "booked_twice", "unequal", "still_open"))
    assert report["parcels"]["unit_count"] > 0
    assert not any(report["parcels"][kind] for kind in ("unreported", "overreported"))
    assert report["returns"]["netsuite"]["verified"] > 0
    assert report["location_count"] == 5
    assert report["channel_count"] == 3
    assert report["naive_oversold_units"] > 0
    assert all(case["hop"] for case in report["oversales"])
    assert json.loads((state / "demo" / "report.json").read_text()) == report
    left = [
        process.info["cmdline"]
        for process in psutil.process_iter(["cmdline"])
        if str(state) in " ".join(process.info["cmdline"] or [])
    ]
    assert left == []
