"""Roles of this database alone, and who applies files and who proposes apart from who decides."""

from trueup.warehouse.migrations.sql_file import run_sql_file

revision = "0014_own_roles"
down_revision = "0013_verdict_status"


def upgrade() -> None:
    """Apply the SQL file beside this one."""
    run_sql_file(__file__)
