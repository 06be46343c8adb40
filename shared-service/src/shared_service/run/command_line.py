"""The commands of a service: an error of the database ends one with a sentence, never with a traceback."""

from __future__ import annotations

from typing import Any

import click
import psycopg

from shared_service.postgres.sessions import sentence


class Commands(click.Group):
    """A group that is called as its service is."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except psycopg.Error as error:
            raise click.ClickException(f"{self.name}: {sentence(error, service=str(self.name))}") from None
