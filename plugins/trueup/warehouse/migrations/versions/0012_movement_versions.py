"""Streams that used to be events get a table of their newest versions; every such table, the records' own times."""

from trueup.warehouse.migrations.sql_file import run_sql_file

revision = "0012_movement_versions"
down_revision = "0011_quantities"


def upgrade() -> None:
    """Apply the SQL file beside this one."""
    run_sql_file(__file__)
