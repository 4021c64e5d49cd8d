"""Verdicts that are neither passed nor failed, and one name for what was changed at a target."""

from trueup.warehouse.migrations.sql_file import run_sql_file

revision = "0013_verdict_status"
down_revision = "0012_movement_versions"


def upgrade() -> None:
    """Apply the SQL file beside this one."""
    run_sql_file(__file__)
