"""Alembic's entry: runs the revisions on the connection that `provider.migrate` opened, in its transaction."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table_schema="provider",
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
