"""What all workers share about a system: quotas, and secrets that change while we run."""

from trueup.warehouse.migrations.sql_file import run_sql_file

revision = "0016_shared_state"
down_revision = "0015_append_only"


def upgrade() -> None:
    """Apply the SQL file beside this one."""
    run_sql_file(__file__)
