"""Alembic's entry: runs the revisions on the connection that `casino.migrate` hands over; it never opens one itself."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, version_table_schema="casino", transaction_per_migration=False)
with context.begin_transaction():
    context.run_migrations()
