"""Where processes of one machine meet: quotas, and the few secrets that change while we run.

The folder is `TRUEUP_STATE_FOLDER`, else `trueup` below the user's state folder; only this user may enter it.
Containers share a quota when they share this folder.
"""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from trueup.domain.errors import Permanent


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
        """Keep other processes out while the text is read, used and replaced."""
        with file_lock(open_folder(self._folder) / f"{self._name}.lock"):
            yield

    def read(self) -> str | None:
        """Return the text, None where none was written."""
        path = self._folder / self._name
        return path.read_text(encoding="utf-8") if path.exists() else None

    def write(self, text: str) -> None:
        """Replace the text; a reader sees the old one or the new."""
        fresh = open_folder(self._folder) / f"{self._name}.new"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._folder / self._name)
