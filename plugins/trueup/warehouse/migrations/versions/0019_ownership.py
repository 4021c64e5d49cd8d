"""Who owns which field, and that nobody writes to the owner."""

from trueup.warehouse.migrations.sql_file import run_sql_file

revision = "0019_ownership"
down_revision = "0018_changes"


def upgrade() -> None:
    """Apply the SQL file beside this one."""
    run_sql_file(__file__)
