"""The roles of one warehouse: what each is for, and what PostgreSQL calls it.

Roles belong to the whole server, so a name carries its database: an analyst of one tenant is nobody in another's.
"""

import hashlib
import re
from enum import StrEnum
from typing import Final

_PREFIX: Final = "trueup_"
_LONGEST_NAME: Final = 63
_DIGEST_LENGTH: Final = 8


class Role(StrEnum):
    """Who is at work; migrations 0002 and 0014 say what each may do."""

    OWNER = "owner"
    """Owns what the migrations make. No step works as the owner, and nobody logs in as it."""

    CONFIGURATOR = "configurator"
    """Applies the tenant's files, prunes what is past its retention."""

    LOADER = "loader"
    TRANSFORMER = "transformer"

    PROPOSER = "proposer"
    """Decides what should be corrected. It approves nothing."""

    OPERATOR = "operator"
    """Decides on holds, corrects, works the exception queue. It proposes nothing."""

    ANALYST = "analyst"


_PLAIN: Final = re.compile(r"[a-z_][a-z0-9_]*")
_WRITTEN: Final = re.compile(rf"\b{_PREFIX}({'|'.join(Role)})\b")


def role_name(database: str, role: Role) -> str:
    """The role's name in PostgreSQL: `trueup_acme_loader` for the database `trueup_acme`.

    Any other database's name gets a digest: `acme` and `trueup_acme` must not meet, nor two that are too long.
    """
    whole = f"{database}_{role}"
    if database.startswith(_PREFIX) and len(whole.encode()) <= _LONGEST_NAME:
        return whole
    ending = f"_{hashlib.sha256(database.encode()).hexdigest()[:_DIGEST_LENGTH]}_{role}"
    room = _LONGEST_NAME - len(ending) - len(_PREFIX)
    kept = database.removeprefix(_PREFIX).encode()[:room].decode(errors="ignore")
    return f"{_PREFIX}{kept}{ending}"


def role_identifier(database: str, role: Role) -> str:
    """The role's name as it stands in a statement."""
    name = role_name(database, role)
    return name if _PLAIN.fullmatch(name) else '"{}"'.format(name.replace('"', '""'))


def with_role_names(statements: str, database: str) -> str:
    """SQL that is written for `trueup_loader` and so on, as it is meant for one database."""
    return _WRITTEN.sub(lambda written: role_identifier(database, Role(written[1])), statements)
