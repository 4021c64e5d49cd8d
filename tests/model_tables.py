"""The tables that dbt builds, made from their models' contracts: a column that is renamed there does not exist here.

Not-null constraints are left out: a test fills only what it is about, and a gate is shown what they would refuse.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml
from psycopg import sql
from psycopg.types.json import Jsonb

from trueup.warehouse.connection import Warehouse

PROJECT = Path(__file__).resolve().parents[1] / "dbt_project"


@dataclass(frozen=True, slots=True)
class Contract:
    """A model's schema, and the type of each of its columns, in their order; `path`: the file that says so."""

    model: str
    schema: str
    columns: Mapping[str, str]
    path: Path

    def require(self, names: Collection[str]) -> None:
        """Fail on a name that is none of the columns."""
        unknown = [name for name in names if name not in self.columns]
        if unknown:
            raise LookupError(f"{self.model} has no column {', '.join(unknown)}: see {self.path}")


@cache
def contract(model: str) -> Contract:
    """What the model's own .yml declares."""
    (path,) = (PROJECT / "models").rglob(f"{model}.yml")
    (declared,) = [each for each in yaml.safe_load(path.read_text())["models"] if each["name"] == model]
    untyped = [each["name"] for each in declared["columns"] if "data_type" not in each]
    if untyped:
        raise LookupError(f"{path} gives no data_type of {', '.join(untyped)}")
    configured = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())["models"]["trueup"]
    layer = path.relative_to(PROJECT / "models").parts[0]
    columns = {each["name"]: each["data_type"] for each in declared["columns"]}
    return Contract(model, configured[layer]["+schema"], columns, path)


def create_table(
    connection: Warehouse,
    model: str,
    *,
    name: str | None = None,
    without: Collection[str] = (),
    defaults: Mapping[str, object] | None = None,
    generated: Mapping[str, str] | None = None,
    key: Collection[str] = (),
) -> None:
    """Create the model's table, empty.

    `name`: what it is called in the model's schema where that is not the model's name; `without`: columns to leave out.
    `defaults`: values of columns that rows leave out, raw SQL as `sql.SQL`; `generated`: SQL that computes a column.
    """
    declared = contract(model)
    defaults, generated = defaults or {}, generated or {}
    declared.require([*without, *defaults, *generated, *key])
    parts: list[sql.Composable] = []
    for column, data_type in declared.columns.items():
        if column in without:
            continue
        part = sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(data_type))
        if column in defaults:
            part += sql.SQL(" default {}").format(defaults[column])
        if column in generated:
            part += sql.SQL(" generated always as ({}) stored").format(sql.SQL(generated[column]))
        parts.append(part)
    if key:
        parts.append(sql.SQL("primary key ({})").format(sql.SQL(", ").join(map(sql.Identifier, key))))
    table = sql.Identifier(declared.schema, name or model)
    connection.execute(sql.SQL("create table {} ({})").format(table, sql.SQL(", ").join(parts)))


def insert_rows(connection: Warehouse, model: str, *rows: Mapping[str, object]) -> None:
    """Insert rows into the model's table; lists and dictionaries are JSON, and columns left out are null."""
    declared = contract(model)
    for row in rows:
        declared.require(row)
        insert_row(connection, f"{declared.schema}.{model}", row)


def insert_row(connection: Warehouse, table: str, row: Mapping[str, object]) -> None:
    """Insert a row into a table of any making; lists and dictionaries are JSON."""
    values = [Jsonb(value) if isinstance(value, dict | list) else value for value in row.values()]
    connection.execute(
        sql.SQL("insert into {} ({}) values ({})").format(
            sql.Identifier(*table.split(".")),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join([sql.Placeholder()] * len(row)),
        ),
        values,
    )
