"""What a task tells Airflow when it fails: try again or not, in words that name the thing and the remedy."""

import json
import os
import subprocess
import sys
from pathlib import Path

_FAIL = """
import json, sys
from airflow.sdk.exceptions import AirflowSkipException, AirflowTaskTimeout
from psycopg import errors
from trueup.domain.errors import Permanent, Transient
from trueup.orchestration.tasks import in_airflow_terms

def failing_with(error):
    def build():
        raise error
    try:
        in_airflow_terms(build)()
    except BaseException as raised:
        return [type(raised).__name__, str(raised)]

print("RESULT" + json.dumps({
    "transient": failing_with(Transient("asked us to slow down")),
    "permanent": failing_with(Permanent("renew the token")),
    "skip": failing_with(AirflowSkipException("nothing new")),
    "warehouse full": failing_with(errors.DiskFull()),
    "not migrated": failing_with(errors.UndefinedTable()),
    "machine full": failing_with(OSError(28, "No space left on device", "dbt/target/manifest.json")),
    "too long": failing_with(AirflowTaskTimeout("Timeout, PID: 1")),
    "defect": failing_with(KeyError("channel")),
}))
"""


def test_each_failure_is_failing_with_in_airflows_terms(tmp_path: Path) -> None:
    """`AirflowFailException` ends the task at once, `AirflowException` lets Airflow try again; a defect shows whole."""
    answer = subprocess.run(
        [sys.executable, "-c", _FAIL],
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    lines = [line for line in answer.stdout.splitlines() if line.startswith("RESULT")]
    assert lines, answer.stdout[-2000:] + answer.stderr[-2000:]
    assert json.loads(lines[0].removeprefix("RESULT")) == {
        "transient": ["AirflowException", "asked us to slow down"],
        "permanent": ["AirflowFailException", "renew the token"],
        "skip": ["AirflowSkipException", "nothing new"],
        "warehouse full": [
            "AirflowException",
            (
                "build: the warehouse answered DiskFull; make room on the disk of the warehouse's server; the work is"
                " repeated by the next run"
            ),
        ],
        "not migrated": [
            "AirflowFailException",
            (
                "build: the warehouse answered UndefinedTable; check that it is migrated"
                " (`trueup tenant prepare TENANT`) and built (`trueup build`)"
            ),
        ],
        "machine full": [
            "AirflowException",
            (
                "build: dbt/target/manifest.json cannot be written: No space left on device; make room on its disk, and"
                " run it again"
            ),
        ],
        "too long": [
            "AirflowException",
            (
                "build was broken off: it ran for longer than a step may; look in the log for what it waited for, and"
                " in pg_stat_activity of the warehouse; the work is repeated by the next run"
            ),
        ],
        "defect": ["KeyError", "'channel'"],
    }
