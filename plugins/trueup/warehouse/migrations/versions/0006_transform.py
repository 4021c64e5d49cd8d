"""What a build is told and what it leaves behind."""

from trueup.warehouse.migrations.sql_file import run_sql_file

revision = "0006_transform"
down_revision = "0005_landing"


def upgrade() -> None:
    """Apply the SQL file beside this one."""
    run_sql_file(__file__)
