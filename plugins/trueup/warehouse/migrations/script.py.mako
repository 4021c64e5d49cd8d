"""${message}"""

from trueup.warehouse.migrations.sql_file import run_sql_file

revision = "${up_revision}"
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Apply the SQL file beside this one."""
    run_sql_file(__file__)
