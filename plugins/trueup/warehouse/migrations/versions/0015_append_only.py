"""What is never changed, by anybody; whose name an event carries; how a decision is made."""

from trueup.warehouse.migrations.sql_file import run_sql_file

revision = "0015_append_only"
down_revision = "0014_own_roles"


def upgrade() -> None:
    """Apply the SQL file beside this one."""
    run_sql_file(__file__)
