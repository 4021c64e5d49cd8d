"""Landings by time."""

from trueup.warehouse.migrations.sql_file import run_sql_file

revision = "0007_landing_times"
down_revision = "0006_transform"


def upgrade() -> None:
    """Apply the SQL file beside this one."""
    run_sql_file(__file__)
