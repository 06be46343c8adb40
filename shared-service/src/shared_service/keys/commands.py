"""The commands `keys` and `revoke-key` of every service. They show no secret.

A revocation is written as the schema's owner, because the application's role may not revoke keys.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import click
import psycopg
from psycopg import sql

from shared_service.keys.live_keys import Direction, Revocation
from shared_service.keys.report import KeyNotRevoked, KeyState, key_states, require_revocable, revocation_report
from shared_service.run.command_line import connected

ALL: Final = sql.SQL("select direction, key_id from {}.key_revocations")
REVOKE: Final = sql.SQL(
    "insert into {}.key_revocations (direction, key_id) values (%s, %s) on conflict do nothing returning true"
)


class KeySettings(Protocol):
    """The settings that these commands read."""

    @property
    def database_url(self) -> str:
        """The application's login."""

    def everybodys_keys(self) -> list[Direction]:
        """Both directions with the configured keys of all peers, in the same order in both services."""


@dataclass(frozen=True, slots=True)
class KeyCommands:
    """Makes the commands of one service. `service` is also its schema's name; `directions` are both services' names.

    `settings` and `owner_url` read the environment, and may raise SettingsRefused.
    """

    service: str
    directions: tuple[str, str]
    settings: Callable[[], KeySettings]
    owner_url: Callable[[], str]

    def commands(self) -> list[click.Command]:
        """`keys` and `revoke-key`."""
        one, two = self.directions
        show = click.Command(
            "keys",
            callback=self._show_keys,
            help="Show the ids of all keys, whether they are live, ended or revoked, and which sign. Never a secret.",
        )
        revoke = click.Command(
            "revoke-key",
            callback=self._revoke_key,
            help="Refuse a key from now on, in every process of this service, without a restart.",
            params=[
                click.Argument(["key_id"], required=False),
                click.Option(
                    ["--direction"],
                    type=click.Choice(self.directions),
                    help=f"{one}: {two} to {one}; {two}: the other way.",
                ),
                click.Option(["--yes"], is_flag=True, help="Revoke even the last live key of a direction."),
                click.Option(["--list", "listing"], is_flag=True, help="Show the keys and change nothing."),
            ],
        )
        return [show, revoke]

    def _show_keys(self) -> None:
        settings = self.settings()
        with connected(settings.database_url, service=self.service, role=f"{self.service}_app") as connection:
            _show(settings, self._revoked(connection))

    def _revoke_key(self, key_id: str | None, direction: str | None, *, yes: bool, listing: bool) -> None:
        settings = self.settings()
        with connected(self.owner_url(), service=self.service, role=f"{self.service}_owner") as connection:
            if listing:
                _show(settings, self._revoked(connection))
                return
            if key_id is None or direction is None:
                raise click.UsageError("which key? Name its id and its --direction; --list shows them.")
            states = _states(settings, direction, self._revoked(connection))
            try:
                require_revocable(key_id, states, caller=self._other(direction), confirmed=yes)
            except KeyNotRevoked as refusal:
                raise click.ClickException(str(refusal)) from None
            revoke = REVOKE.format(sql.Identifier(self.service))
            is_new = connection.execute(revoke, (direction, key_id)).fetchone() is not None
            after = _states(settings, direction, self._revoked(connection))
        lines = revocation_report(
            key_id, after, service=self.service, peer=self._other(self.service), was_revoked=not is_new
        )
        for line in lines:
            click.echo(line)

    def _other(self, name: str) -> str:
        one, two = self.directions
        return two if name == one else one

    def _revoked(self, connection: psycopg.Connection[Any]) -> set[Revocation]:
        return set(connection.execute(ALL.format(sql.Identifier(self.service))).fetchall())


def _states(settings: KeySettings, direction: str, revoked: set[Revocation]) -> list[KeyState]:
    keys = next(each.keys for each in settings.everybodys_keys() if each.name == direction)
    return key_states(direction, keys, revoked, now=time.time())


def _show(settings: KeySettings, revoked: set[Revocation]) -> None:
    for direction in settings.everybodys_keys():
        for state in key_states(direction.name, direction.keys, revoked, now=time.time()):
            click.echo(state.line())
