"""Runs the SQL file that stands beside a revision. There is no way down: a backup is the way back."""

from pathlib import Path

from alembic import op


def run_sql_file(revision_file: str) -> None:
    """Execute `<revision>.sql` as it is, in the migration's transaction."""
    statements = Path(revision_file).with_suffix(".sql").read_text(encoding="utf-8")
    cursor = op.get_bind().connection.cursor()
    cursor.execute(statements)
