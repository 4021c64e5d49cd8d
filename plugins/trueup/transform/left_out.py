"""The models that a tenant does not have: those of workflows that it has not declared.

Canonical is everybody's; what stands wrong of a workflow and what shall be changed is for those who govern it.
"""

from collections.abc import Sequence
from pathlib import Path

from psycopg import sql

from trueup.configuration.model import TenantConfiguration
from trueup.configuration.structure import GOVERNED_LAYERS
from trueup.warehouse.connection import Warehouse


def left_out_folders(configuration: TenantConfiguration) -> tuple[str, ...]:
    """The folders of the dbt project, such as models/outbox/NAME, whose models the tenant does not have."""
    return tuple(
        f"models/{layer}/{workflow}"
        for workflow in sorted(configuration.undeclared_workflows)
        for layer in GOVERNED_LAYERS
    )


def without(folders: Sequence[str]) -> tuple[str, ...]:
    """The arguments by which dbt leaves these folders out."""
    return ("--exclude", *(f"path:{folder}" for folder in folders)) if folders else ()


def drop_left_out(connection: Warehouse, project: Path, folders: Sequence[str]) -> None:
    """Drop what was made of these folders' models while the workflow was still declared: nobody keeps it true now."""
    names = [path.stem for folder in folders for path in sorted((project / folder).rglob("*.sql"))]
    rows = connection.execute(
        "select relnamespace::regnamespace::text, relname, relkind from pg_catalog.pg_class"
        " where relname = any(%s) and relkind in ('r', 'v')"
        " and relnamespace::regnamespace::text = any(%s)",
        (names, ["staging", *GOVERNED_LAYERS]),
    ).fetchall()
    for schema, name, kind in rows:
        what = sql.SQL("view" if kind == "v" else "table")
        connection.execute(sql.SQL("drop {} if exists {} cascade").format(what, sql.Identifier(schema, name)))
