"""The words of the glossary, in what the warehouse keeps."""

from trueup.warehouse.migrations.sql_file import run_sql_file

revision = "0023_words"
down_revision = "0022_reconciliation"


def upgrade() -> None:
    """Apply the SQL file beside this one."""
    run_sql_file(__file__)
