"""The warehouse's schema, as Alembic revisions over plain SQL files."""
