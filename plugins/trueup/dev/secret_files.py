"""Files with credentials: readable by their owner alone, and never half written."""

import json
import os
from pathlib import Path
from typing import Any


def write_secret(path: Path, content: dict[str, Any]) -> None:
    """Write JSON that nobody else may read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
    temporary.replace(path)
