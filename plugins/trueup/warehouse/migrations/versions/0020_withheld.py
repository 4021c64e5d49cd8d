"""Gates withhold records of any kind."""

from trueup.warehouse.migrations.sql_file import run_sql_file

revision = "0020_withheld"
down_revision = "0019_ownership"


def upgrade() -> None:
    """Apply the SQL file beside this one."""
    run_sql_file(__file__)
