"""The line's schemas and tables."""

from trueup.warehouse.migrations.sql_file import run_sql_file

revision = "0001_foundation"
down_revision = None


def upgrade() -> None:
    """Apply the SQL file beside this one."""
    run_sql_file(__file__)
