"""Keeps every request and answer as JSON lines, one file a system: what contract tests check afterwards."""

import json
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

_CREDENTIALS: Final = frozenset({"authorization", "cookie", "proxy-authorization", "x-shopify-access-token"})


class Recording:
    """Writes below `folder`. The secrets given are masked wherever they stand, headers of credentials altogether."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._secrets: list[str] = []

    def mask(self, secrets: Iterable[str]) -> None:
        """Never let these stand in a line from now on."""
        self._secrets = sorted({*self._secrets, *(secret for secret in secrets if secret)}, key=len, reverse=True)

    def keep(
        self,
        system_id: str,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        request: bytes,
        status: int,
        answer: bytes,
    ) -> None:
        """Append one exchange; `headers` are the request's, their names in lower case."""
        line = json.dumps(
            {
                "system": system_id,
                "method": method,
                "path": path,
                "query": query,
                "headers": {name: "***" if name in _CREDENTIALS else value for name, value in headers.items()},
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
        content: object = json.loads(body)
    except ValueError:
        return {"text": body.decode("utf-8", "replace")}
    return content
