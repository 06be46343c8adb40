"""The commands of a service: an error of the database ends one with a sentence, never with a traceback."""

from __future__ import annotations

from typing import Any, Final

import click
import psycopg

from shared_service.postgres import sessions

CONNECT_TIMEOUT_SECONDS: Final = 5
LOCK_TIMEOUT_MS: Final = 5_000


class Commands(click.Group):
    """A group that is called as its service is."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except psycopg.Error as error:
            raise click.ClickException(f"{self.name}: {sessions.sentence(error, service=str(self.name))}") from None


def connected(url: str, *, service: str, role: str) -> psycopg.Connection[Any]:
    """A connection in autocommit for a command that reads or writes a few rows, in a role. Raises ClickException."""
    try:
        connection: psycopg.Connection[Any] = sessions.connect(
            url,
            role=role,
            application_name=f"{service}-command",
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            migrated=True,
            statement_timeout=0,
            lock_timeout=LOCK_TIMEOUT_MS,
        )
    except psycopg.Error as error:
        said = sessions.sentence(error, service=service)
        raise click.ClickException(f"{said}; nothing was changed") from None
    return connection
