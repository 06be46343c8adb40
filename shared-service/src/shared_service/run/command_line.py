"""The command line of a service. Refused settings and database errors end a command with a sentence."""

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
    """A group of commands with the name of its service."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Refused settings and database errors end the process with a sentence."""
        try:
            return super().invoke(ctx)
        except SettingsRefused as error:
            sys.exit(error.for_program(str(self.name)))
        except psycopg.Error as error:
            raise click.ClickException(f"{self.name}: {sessions.sentence(error, service=str(self.name))}") from None


def migrate_command(schema: Schema, owner_url: Callable[[], str]) -> click.Command:
    """Makes the command `migrate`. `owner_url` reads the environment, and may raise SettingsRefused."""

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
    """Opens a connection in autocommit in this role, for a command. Raises ClickException."""
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
