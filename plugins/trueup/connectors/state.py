"""Where processes of one machine meet: quotas, and the few secrets that change while we run.

The folder is `TRUEUP_STATE_FOLDER`, else `trueup` below the user's state folder; only this user may enter it.
Containers share a quota when they share this folder.
"""

import fcntl
import hashlib
import logging
import os
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from trueup.domain.errors import Permanent, Transient

log = logging.getLogger(__name__)

_ROOM_BYTES = 4096


class NoRoom(Transient):
    """The folder's disk is full, or what is kept there cannot be read or written."""


def state_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder's path; nothing is made yet."""
    told = environment.get("TRUEUP_STATE_FOLDER")
    if told:
        return Path(told)
    state_home = environment.get("XDG_STATE_HOME")
    if state_home:
        return Path(state_home) / "trueup"
    home = environment.get("HOME")
    if home and os.access(home, os.W_OK):
        return Path(home) / ".local" / "state" / "trueup"
    return Path(tempfile.gettempdir()) / f"trueup-{os.getuid()}"


def open_folder(folder: Path) -> Path:
    """Make the folder for this user alone; refuse one that somebody else owns."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = folder.stat().st_uid
    except OSError as error:
        raise Permanent(f"cannot make {folder}: {error.strerror}; set TRUEUP_STATE_FOLDER to a writable one") from error
    if owner != os.getuid():
        raise Permanent(f"{folder} belongs to another user; set TRUEUP_STATE_FOLDER to a folder of our own")
    return folder


@contextmanager
def kept_in(folder: Path) -> Iterator[Path]:
    """Make the folder and read or write in it; `NoRoom` names it and the remedy where the disk does not let us."""
    try:
        yield open_folder(folder)
    except (OSError, sqlite3.Error) as error:
        told = error.strerror if isinstance(error, OSError) else str(error)
        raise NoRoom(
            f"quotas and tokens cannot be kept in {folder}: {told}; make room on its disk, or set TRUEUP_STATE_FOLDER"
            " to a folder on another"
        ) from error


@contextmanager
def noted_if_possible(owner: str) -> Iterator[None]:
    """Do what follows an answer: a full disk must not cost the answer, only what would have been noted about it."""
    try:
        yield
    except NoRoom as error:
        log.warning("%s: what was spent is not noted: %s", owner, error)


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock that the kernel releases when its holder dies."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class PrivateFile:
    """One short secret text in a file of mode 600, replaced whole."""

    def __init__(self, folder: Path, kind: str, identity: str) -> None:
        self._folder = folder
        self._name = f"{kind}-{hashlib.sha256(identity.encode()).hexdigest()[:24]}"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out while the text is read, used and replaced.

        There is room for the new text before the old one is used up; raises `NoRoom` where there is not.
        """
        with ExitStack() as held:
            # What the caller does under the lock fails in words of its own.
            with kept_in(self._folder) as folder:
                held.enter_context(file_lock(folder / f"{self._name}.lock"))
            self._fill(b"\0" * _ROOM_BYTES)
            yield

    def read(self) -> str | None:
        """Return the text, None where none was written."""
        path = self._folder / self._name
        return path.read_text(encoding="utf-8") if path.exists() else None

    def write(self, text: str) -> None:
        """Replace the text; a reader sees the old one or the new."""
        self._fill(text.encode()).replace(self._folder / self._name)

    def _fill(self, content: bytes) -> Path:
        """Make the next version hold this; over what is there, which needs no room that is not ours already."""
        with kept_in(self._folder) as folder:
            fresh = folder / f"{self._name}.new"
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.truncate()
                file.flush()
                os.fsync(file.fileno())
        return fresh
