"""Alembic's entry: runs the revisions on the connection of `shared_service.postgres.migrate`."""

from shared_service.postgres.revisions import run_revisions

run_revisions()
