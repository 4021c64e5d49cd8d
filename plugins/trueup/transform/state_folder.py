"""Where dbt keeps what it parsed between runs, when the caller names no folder."""

import hashlib
import os
import tempfile
from pathlib import Path

from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent


def default_state_folder(details: ConnectionDetails) -> Path:
    """A folder of this user's own for this warehouse, under the temporary directory.

    Raises `Permanent` where somebody else owns it: what dbt reads from there decides what it runs.
    """
    where = f"{details.host}\x1f{details.port}\x1f{details.schema}\x1f{details.login}"
    base = Path(tempfile.gettempdir()) / f"trueup-dbt-{os.getuid()}"
    base.mkdir(mode=0o700, exist_ok=True)
    if base.stat().st_uid != os.getuid() or base.is_symlink():
        raise Permanent(f"{base} belongs to another user; remove it, or name a state folder of your own")
    folder = base / hashlib.sha256(where.encode()).hexdigest()[:16]
    folder.mkdir(exist_ok=True)
    return folder
