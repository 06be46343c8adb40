"""The command line for keys: `casino keys` and `casino revoke-key`, for a person at three in the morning.

Owns how a revocation is written down: as the owner, because the application may not take keys away. It must never show
a secret, and never change anything but `casino.key_revocations`.
"""

from __future__ import annotations

import time
from typing import Any, Final

import click
import psycopg

from casino.settings import Settings, SettingsError, from_environment
from shared_service.postgres import sessions as postgres_session
from shared_signing.key_report import KeyNotRevoked, KeyState, key_states, require_revocable, told_after
from shared_signing.live_keys import CASINO, DIRECTIONS, Revocation

OWNER_ROLE: Final = "casino_owner"
APP_ROLE: Final = "casino_app"
CONNECT_TIMEOUT_SECONDS: Final = 5
LOCK_TIMEOUT_MS: Final = 5_000
ALL: Final = "select direction, key_id from casino.key_revocations"
REVOKE: Final = """
    insert into casino.key_revocations (direction, key_id) values (%s, %s) on conflict do nothing returning true
"""


@click.command("keys")
def keys_command() -> None:
    """Show the ids of all keys, whether they are live, ended or revoked, and which sign. Never a secret."""
    settings = _settings()
    with connected(settings.database_url, APP_ROLE) as connection:
        _show(settings, _revoked(connection))


@click.command("revoke-key")
@click.argument("key_id", required=False)
@click.option("--direction", type=click.Choice(DIRECTIONS), help="casino: provider to casino; provider: the other way.")
@click.option("--yes", is_flag=True, help="Revoke even the last live key of a direction.")
@click.option("--list", "listing", is_flag=True, help="Show the keys and change nothing.")
def revoke_key_command(key_id: str | None, direction: str | None, *, yes: bool, listing: bool) -> None:
    """Refuse a key from now on, in every process of this service, without a restart."""
    settings = _settings()
    with connected(settings.owner_database_url, OWNER_ROLE) as connection:
        if listing:
            _show(settings, _revoked(connection))
            return
        if key_id is None or direction is None:
            raise click.UsageError("which key? Name its id and its --direction; --list shows them.")
        states = _states(settings, direction, _revoked(connection))
        try:
            require_revocable(key_id, states, confirmed=yes)
        except KeyNotRevoked as refusal:
            raise click.ClickException(str(refusal)) from None
        is_new = connection.execute(REVOKE, (direction, key_id)).fetchone() is not None
        after = _states(settings, direction, _revoked(connection))
    for line in told_after(key_id, after, service=CASINO, was_revoked=not is_new):
        click.echo(line)


def _settings() -> Settings:
    try:
        return from_environment()
    except SettingsError as error:
        raise click.ClickException(str(error)) from None


def connected(url: str, role: str) -> psycopg.Connection[Any]:
    """A connection for a command, in a role. Raises ClickException."""
    try:
        connection: psycopg.Connection[Any] = postgres_session.connect(
            url,
            role=role,
            application_name="casino-keys",
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            migrated=True,
            statement_timeout=0,
            lock_timeout=LOCK_TIMEOUT_MS,
        )
    except psycopg.Error as error:
        said = postgres_session.sentence(error, service="casino")
        raise click.ClickException(f"{said}; nothing was changed") from None
    return connection


def _revoked(connection: psycopg.Connection[Any]) -> set[Revocation]:
    return set(connection.execute(ALL).fetchall())


def _states(settings: Settings, direction: str, revoked: set[Revocation]) -> list[KeyState]:
    keys = settings.casino_keys if direction == CASINO else settings.provider_keys
    return key_states(direction, keys, revoked, now=time.time())


def _show(settings: Settings, revoked: set[Revocation]) -> None:
    for direction in DIRECTIONS:
        for state in _states(settings, direction, revoked):
            click.echo(state.line())
