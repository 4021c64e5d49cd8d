"""What stands wrong somewhere, and why, lies in a schema of its own."""

from trueup.warehouse.migrations.sql_file import run_sql_file

revision = "0022_reconciliation"
down_revision = "0021_restorable"


def upgrade() -> None:
    """Apply the SQL file beside this one."""
    run_sql_file(__file__)
