"""What the demo starts, it stops: children, their children, and orphans whose parent died first."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from trueup.dev.processes import own_environment, proportional_memory, start, stop_tree, wait_until
from trueup.domain.errors import Permanent

_PARENT = """
import subprocess, sys, time, pathlib
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
if sys.argv[2] == "stay":
    time.sleep(600)
"""


@pytest.mark.parametrize("parent", ["stay", "die"])
def test_a_child_s_child_is_stopped_too(tmp_path: Path, parent: str) -> None:
    """Airflow's scheduler leaves its log server behind when it ends first."""
    pid_file = tmp_path / "pid"
    child = start("family", [sys.executable, "-c", _PARENT, str(pid_file), parent], own_environment(), tmp_path)
    wait_until(lambda: pid_file.exists() and pid_file.read_text() != "", 20, "the grandchild starting")
    grandchild = int(pid_file.read_text())
    if parent == "die":
        child.process.wait(timeout=20)
    stop_tree(child.process.pid, grace_seconds=3)
    wait_until(lambda: not psutil.pid_exists(grandchild), 20, "the grandchild ending")


def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    """A killed demo leaves nothing running."""
    script = (
        "import sys, time; from pathlib import Path; from trueup.dev.processes import start, own_environment\n"
        "command = [sys.executable, '-c', 'import time; time.sleep(600)']\n"
        "child = start('x', command, own_environment(), Path(sys.argv[1]))\n"
        "Path(sys.argv[1], 'pid').write_text(str(child.process.pid)); time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)])
    pid_file = tmp_path / "pid"
    wait_until(lambda: pid_file.exists() and pid_file.read_text() != "", 20, "the child starting")
    parent.kill()
    parent.wait(timeout=10)
    wait_until(lambda: not psutil.pid_exists(int(pid_file.read_text())), 20, "the child ending")


def test_an_ended_child_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    child = start("broken", [sys.executable, "-c", "raise SystemExit('no such thing')"], own_environment(), tmp_path)
    child.process.wait(timeout=20)
    with pytest.raises(Permanent, match=r"(?s)broken ended with code 1.*no such thing"):
        child.require_running()


def test_memory_is_counted_over_the_family() -> None:
    import os

    assert proportional_memory(os.getpid()) > 1_000_000
