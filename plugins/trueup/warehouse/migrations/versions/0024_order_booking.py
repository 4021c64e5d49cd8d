"""Which orders are booked where, and by whom."""

from trueup.warehouse.migrations.sql_file import run_sql_file

revision = "0024_order_booking"
down_revision = "0023_words"


def upgrade() -> None:
    """Apply the SQL file beside this one."""
    run_sql_file(__file__)
