"""Whose refunds are credited where, by whom, and how long each leg of a return may take."""

from trueup.warehouse.migrations.sql_file import run_sql_file

revision = "0025_return_handling"
down_revision = "0024_order_booking"


def upgrade() -> None:
    """Apply the SQL file beside this one."""
    run_sql_file(__file__)
