"""The command `casino revoke-tokens`. It writes as the schema's owner, because the application's role may not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import click
import psycopg

from casino.client.access_token import CLOCK_TOLERANCE_SECONDS
from casino.settings import CommandSettings
from casino.sql.schema import SCHEMA
from shared_service.postgres import sessions as postgres_session
from shared_service.run.command_line import connected

# A batch that bets in several of the games holds the wallet, too: neither waits for the other with a game in hand.
HOLD: Final = """
    select casino.hold_wallets(%(ledger)s, array_agg(wallet_id)) from casino.wallets
    where ledger_id = %(ledger)s and player_id = %(player)s
"""
# One statement, so that it revokes and closes, or does neither. Times of tokens are in whole seconds.
REVOKE: Final = """
    with known as (
        select tenant_id from casino.wallets where ledger_id = %(ledger)s and player_id = %(player)s
    ), revoked as (
        insert into casino.access_token_revocations as earlier (tenant_id, player_id, issued_until)
        select tenant_id, %(player)s, date_trunc('second', casino.clock()) from known
        on conflict (tenant_id, player_id) do update
        set issued_until = greatest(earlier.issued_until, excluded.issued_until), revoked_by = excluded.revoked_by
        returning issued_until
    ), closed as (
        update casino.game_sessions set closed_at = casino.clock()
        from revoked
        where ledger_id = %(ledger)s and player_id = %(player)s and closed_at is null
        returning session_id
    )
    select issued_until, (select count(*) from closed) from revoked
"""


def revoke(connection: psycopg.Connection[Any], ledger_id: int, player_id: str) -> tuple[datetime, int] | None:
    """Revoke a player's tokens: returns until when they were issued, and how many game sessions were closed."""
    named = {"ledger": ledger_id, "player": player_id}
    with connection.transaction():
        connection.execute(HOLD, named)
        return connection.execute(REVOKE, named).fetchone()


@click.command("revoke-tokens")
@click.argument("player_id")
def revoke_tokens_command(player_id: str) -> None:
    """Refuse all access tokens of a player, and close the player's game sessions.

    At once, in every process. Payouts and rollbacks of placed bets are still accepted.
    """
    settings = CommandSettings.from_environment()
    with connected(settings.owner_url, service=SCHEMA.name, role=SCHEMA.owner_role) as connection:
        try:
            row = revoke(connection, settings.ledger_id, player_id)
        except psycopg.Error as error:
            said = postgres_session.sentence(error, service="casino")
            raise click.ClickException(f"nothing was revoked; {said}") from None
    if row is None:
        raise click.ClickException(
            f"ledger {settings.ledger_id} has no player {player_id!a}. Nothing was changed."
            " CASINO_LEDGER names the ledger."
        )
    issued_until, sessions = row
    click.echo(
        f"Access tokens of player {player_id} that were issued until {issued_until.astimezone(UTC):%FT%TZ} are refused,"
        f" in every process, at once. Closed game sessions: {sessions}."
    )
    click.echo(
        f"An issuer's clock may be {CLOCK_TOLERANCE_SECONDS} seconds ahead."
        " If yours can be, run this again in a minute."
    )
