"""A dump of a warehouse restores by itself."""

from trueup.warehouse.migrations.sql_file import run_sql_file

revision = "0021_restorable"
down_revision = "0020_withheld"


def upgrade() -> None:
    """Apply the SQL file beside this one."""
    run_sql_file(__file__)
