"""What it takes to reach a system, wherever the details are kept.

Mirrors the fields of an Airflow connection, so that the same details serve a task and the
command line. Where they come from (Airflow, the environment, a file) is a `Connections`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class ConnectionDetails:
    """One Airflow connection. The secrets are left out of `repr`, so no log line can show them."""

    conn_id: str
    conn_type: str
    host: str | None = None
    port: int | None = None
    schema: str | None = None
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)


class Connections(Protocol):
    """Looks connections up by id."""

    def get(self, conn_id: str) -> ConnectionDetails:
        """Return the details, or raise `Permanent` naming the id and how to create it."""
        ...
