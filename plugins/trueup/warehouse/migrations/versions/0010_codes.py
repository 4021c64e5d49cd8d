"""One normalization of SKUs and of GTINs."""

from trueup.warehouse.migrations.sql_file import run_sql_file

revision = "0010_codes"
down_revision = "0008_read_again"


def upgrade() -> None:
    """Apply the SQL file beside this one."""
    run_sql_file(__file__)
