"""Alembic's entry: runs the revisions over the connection that `migrate` hands in."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, target_metadata=None, transaction_per_migration=True, version_table_schema="public"
)
with context.begin_transaction():
    context.run_migrations()
