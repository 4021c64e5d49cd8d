"""Keeps every request and answer as JSON lines, one file a system: what contract tests check afterwards."""

import json
import threading
from collections.abc import Iterable
from pathlib import Path


class Recording:
    """Writes below `folder`. Headers are never kept; the secrets given are masked wherever they stand."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._secrets: list[str] = []

    def mask(self, secrets: Iterable[str]) -> None:
        """Never let these stand in a line from now on."""
        self._secrets = sorted({*self._secrets, *(secret for secret in secrets if secret)}, key=len, reverse=True)

    def keep(
        self, system_id: str, method: str, path: str, query: str, request: bytes, status: int, answer: bytes
    ) -> None:
        """Append one exchange."""
        line = json.dumps(
            {
                "system": system_id,
                "method": method,
                "path": path,
                "query": query,
                "request": _content(request),
                "status": status,
                "response": _content(answer),
            },
            ensure_ascii=False,
        )
        for secret in self._secrets:
            line = line.replace(secret, "***")
        with self._lock:
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / f"{system_id}.jsonl").open("a", encoding="utf-8") as lines:
                lines.write(line + "\n")


def _content(body: bytes) -> object:
    if not body:
        return None
    try:
        told: object = json.loads(body)
    except ValueError:
        return {"text": body.decode("utf-8", "replace")}
    return told
