"""What landing and replay keep beyond the foundation."""

from trueup.warehouse.migrations.sql_file import run_sql_file

revision = "0005_landing"
down_revision = "0004_gate_runs"


def upgrade() -> None:
    """Apply the SQL file beside this one."""
    run_sql_file(__file__)
