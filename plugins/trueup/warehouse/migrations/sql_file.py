"""Runs the SQL file that stands beside a revision. There is no way down: a backup is the way back.

Written for `trueup_owner`, `trueup_loader` and so on; run with the names that these have in the database migrated.
"""

from pathlib import Path

from alembic import op
from sqlalchemy import text

from trueup.warehouse.roles import with_role_names


def run_sql_file(revision_file: str) -> None:
    """Execute `<revision>.sql` as it is but for the roles' names, in the migration's transaction."""
    statements = Path(revision_file).with_suffix(".sql").read_text(encoding="utf-8")
    bind = op.get_bind()
    database = str(bind.execute(text("select current_database()")).scalar_one())
    cursor = bind.connection.cursor()
    cursor.execute(with_role_names(statements, database))
