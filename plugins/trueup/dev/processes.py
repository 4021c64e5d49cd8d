"""Child processes that never outlive their parent, and are stopped in order.

Every child leads a process group of its own, so that stopping it stops what it started; and on
Linux the kernel ends it when the parent dies, however that died.
"""

import contextlib
import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from trueup.domain.errors import Permanent

log = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Child:
    """One running child: its name, process and log file."""

    name: str
    process: subprocess.Popen[bytes]
    log_file: Path

    def last_lines(self, count: int = 15) -> str:
        """The end of its log, for an error message."""
        return "\n".join(self.log_file.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])

    def require_running(self) -> None:
        """Raise `Permanent` with the end of its log where it has ended."""
        if self.process.poll() is not None:
            raise Permanent(
                f"{self.name} ended with code {self.process.returncode};"
                f" its log {self.log_file} ends:\n{self.last_lines()}"
            )


def start(
    name: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    log_folder: Path,
    *,
    outlives_parent: bool = False,
    directory: Path | None = None,
) -> Child:
    """Start `command` with its output in `log_folder/name.log`."""
    log_folder.mkdir(parents=True, exist_ok=True)
    log_file = log_folder / f"{name}.log"
    with log_file.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - commands are ours
            list(command),
            env=dict(environment),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" and not outlives_parent else None,
        )
    return Child(name, process, log_file)


def stop_tree(pid: int, grace_seconds: float = 10) -> None:
    """Stop a process that `start` made and all it started: ask, wait, kill. Gone already is fine."""
    family = _family(pid)
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    psutil.wait_procs(family, timeout=grace_seconds)
    # Asked to end, a parent may leave behind what it forked meanwhile: look again.
    alive = _family(pid)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=5)


def _family(pid: int) -> list[psutil.Process]:
    """The process, its descendants, and the orphans of its session, whose parent died before them."""
    found: dict[int, psutil.Process] = {}
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        found = {process.pid: process for process in (root, *root.children(recursive=True))}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError, PermissionError):
            if os.getsid(process.pid) == pid:
                found[process.pid] = process
    return list(found.values())


def stop_all(children: Sequence[Child]) -> None:
    """Stop the children, last started first; children of children included."""
    for child in reversed(children):
        stop_tree(child.process.pid)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.process.wait(timeout=5)
    log.debug("stopped %s", ", ".join(child.name for child in children))


def proportional_memory(pid: int) -> int:
    """Bytes of PSS of the process and all its descendants: shared pages counted once. Linux only."""
    total = 0
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for process in family:
        with contextlib.suppress(psutil.Error, AttributeError):
            total += process.memory_full_info().pss
    return total


def wait_until(condition: Callable[[], bool], seconds: float, what: str, every: float = 0.2) -> None:
    """Poll `condition` until it is true, or raise `Permanent` saying what did not happen in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Permanent(f"{what} did not happen within {seconds:.0f} s; see the logs of the processes")
        time.sleep(every)


def own_environment(**more: str) -> dict[str, str]:
    """This process's environment with `more` on top."""
    return {**os.environ, **more}
