"""Which version of each model made the warehouse's tables."""

from trueup.warehouse.migrations.sql_file import run_sql_file

revision = "0017_model_versions"
down_revision = "0016_shared_state"


def upgrade() -> None:
    """Apply the SQL file beside this one."""
    run_sql_file(__file__)
