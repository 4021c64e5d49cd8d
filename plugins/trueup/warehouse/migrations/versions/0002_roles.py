"""Least-privilege roles."""

from trueup.warehouse.migrations.sql_file import run_sql_file

revision = "0002_roles"
down_revision = "0001_foundation"


def upgrade() -> None:
    """Apply the SQL file beside this one."""
    run_sql_file(__file__)
