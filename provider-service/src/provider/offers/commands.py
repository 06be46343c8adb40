"""The commands `provider stop` and `provider resume`. They write as the schema's owner."""

from typing import Final

import click
import psycopg

from provider.catalogue.games import GAMES
from provider.settings import owner_database_url
from provider.sql.schema import SCHEMA
from shared_service.postgres import sessions as postgres_session
from shared_service.run.command_line import connected
from shared_service.settings.reader import SettingsRefused

REASON_MAX: Final = 256
_STOP: Final = """
    insert into provider.game_stops (game_code, reason, stopped_at) values (%s, %s, provider.clock())
    on conflict (game_code) do update set reason = excluded.reason
"""
_RESUME: Final = "delete from provider.game_stops where game_code = %s"


@click.command()
@click.argument("game", type=click.Choice(list(GAMES)))
@click.argument("reason")
def stop(game: str, reason: str) -> None:
    """Stop a game in every process within two seconds: no new round. Players read the REASON."""
    if not 0 < len(reason) <= REASON_MAX or not reason.isprintable():
        raise click.ClickException(f"the reason must be 1 to {REASON_MAX} printable characters; nothing was changed")
    _change(_STOP, game, reason)
    click.echo(f"{game} is stopped. Rounds that run go on to their end.")


@click.command()
@click.argument("game", type=click.Choice(list(GAMES)))
def resume(game: str) -> None:
    """Let a stopped game go on."""
    changed = _change(_RESUME, game)
    click.echo(f"{game} goes on." if changed else f"{game} was not stopped. Nothing was changed.")


def _change(statement: str, *values: str) -> int:
    try:
        url = owner_database_url()
    except SettingsRefused as refused:
        raise click.ClickException(str(refused)) from None
    with connected(url, service=SCHEMA.name, role=SCHEMA.owner_role) as connection:
        try:
            return connection.execute(statement, values).rowcount
        except psycopg.Error as error:
            said = postgres_session.sentence(error, service=SCHEMA.name)
            raise click.ClickException(f"nothing was changed; {said}") from None
