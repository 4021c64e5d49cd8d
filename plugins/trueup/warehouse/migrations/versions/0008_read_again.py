"""Polls that ask again for what was refused."""

from trueup.warehouse.migrations.sql_file import run_sql_file

revision = "0008_read_again"
down_revision = "0007_landing_times"


def upgrade() -> None:
    """Apply the SQL file beside this one."""
    run_sql_file(__file__)
