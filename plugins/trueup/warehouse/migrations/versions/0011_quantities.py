"""Quantities as wide as their sums, and records that a build sets aside."""

from trueup.warehouse.migrations.sql_file import run_sql_file

revision = "0011_quantities"
down_revision = "0010_codes"


def upgrade() -> None:
    """Apply the SQL file beside this one."""
    run_sql_file(__file__)
