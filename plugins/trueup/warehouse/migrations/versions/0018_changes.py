"""The outbox holds changes of any kind, and every step of their lives."""

from trueup.warehouse.migrations.sql_file import run_sql_file

revision = "0018_changes"
down_revision = "0017_model_versions"


def upgrade() -> None:
    """Apply the SQL file beside this one."""
    run_sql_file(__file__)
