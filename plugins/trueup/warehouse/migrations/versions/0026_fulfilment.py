"""Which channels are told of parcels, and what their locations are called there."""

from trueup.warehouse.migrations.sql_file import run_sql_file

revision = "0026_fulfilment"
down_revision = "0025_return_handling"


def upgrade() -> None:
    """Apply the SQL file beside this one."""
    run_sql_file(__file__)
