"""Reports as what JSON can hold: for `--json`, for files, for logs."""

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID


def plain(value: Any) -> Any:  # noqa: ANN401 - any report in, JSON's types out
    """Turn reports (dataclasses of plain values) into what JSON can hold. Decimals become strings."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal | UUID | Path):
        return str(value)
    if isinstance(value, set | frozenset | Sequence) and not isinstance(value, str | bytes):
        return [plain(item) for item in value]
    return value
