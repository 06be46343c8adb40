"""The commands of a service: refused settings and errors of the database end one with a sentence, not a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final

import click
import psycopg

from shared_service.postgres import sessions
from shared_service.postgres.schema import Schema
from shared_service.settings.reader import SettingsRefused

CONNECT_TIMEOUT_SECONDS: Final = 5
LOCK_TIMEOUT_MS: Final = 5_000


class Commands(click.Group):
    """A group that is called as its service is."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except SettingsRefused as error:
            sys.exit(error.told_by(str(self.name)))
        except psycopg.Error as error:
            raise click.ClickException(f"{self.name}: {sessions.sentence(error, service=str(self.name))}") from None


def migrate_command(schema: Schema, owner_url: Callable[[], str]) -> click.Command:
    """The command `migrate` of a service. `owner_url` reads the environment, and may raise SettingsRefused."""

    def run() -> None:
        from shared_service.postgres.migrate import MigrationRefused, migrate  # noqa: PLC0415 - slow to load

        try:
            for line in migrate(schema, owner_url()):
                click.echo(f"{schema.name}: {line}")
        except MigrationRefused as error:
            sys.exit(f"{schema.name}: {error}")
        click.echo(f"{schema.name}: the schema is up to date")

    return click.Command(
        "migrate", callback=run, help=f"Bring the schema `{schema.name}` to this version. May be run again and again."
    )


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
