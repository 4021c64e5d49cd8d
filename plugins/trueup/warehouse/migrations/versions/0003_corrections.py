"""What the corrector keeps of a decision beyond the foundation."""

from trueup.warehouse.migrations.sql_file import run_sql_file

revision = "0003_corrections"
down_revision = "0002_roles"


def upgrade() -> None:
    """Apply the SQL file beside this one."""
    run_sql_file(__file__)
