"""What the gates keep beyond verdicts: gated builds and baselines."""

from trueup.warehouse.migrations.sql_file import run_sql_file

revision = "0004_gate_runs"
down_revision = "0003_corrections"


def upgrade() -> None:
    """Apply the SQL file beside this one."""
    run_sql_file(__file__)
