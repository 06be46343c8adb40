"""The commands for a new installation: `casino create-tenant`, `add-game`, `set-win-cap` and `add-player`.

A command that is repeated with the same values changes nothing, exit status 0. If a row exists with other values, the
command changes nothing, exit status 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import click
import psycopg
from psycopg.rows import dict_row

from casino.money import AMOUNT_MAX_MINOR, CURRENCY
from casino.settings import CommandSettings
from casino.sql.schema import SCHEMA
from shared_service.run.command_line import connected
from shared_service.settings.values import Unfit, checked_identifier, checked_whole

LEDGER_MAX: Final = 32767
TENANT_TYPES: Final = ("DISTRIBUTOR", "OPERATOR", "AGENT", "DEV")
NAME_MAX_CHARACTERS: Final = 128
NEW_TENANT: Final = """
    insert into casino.tenants (tenant_id, display_name, tenant_type) values (%(tenant)s, %(name)s, %(type)s)
    on conflict do nothing returning true
"""
NEW_LEDGER: Final = """
    insert into casino.ledgers (ledger_id, tenant_id) values (%(ledger)s, %(tenant)s)
    on conflict do nothing returning true
"""
NEW_TENANT_BELOW: Final = """
    insert into casino.tenants (tenant_id, display_name, ledger_id, parent_id, tenant_type)
    select %(tenant)s, %(name)s, ledger_id, tenant_id, %(type)s
    from casino.tenants where ledger_id = %(ledger)s and tenant_id = %(parent)s
    on conflict do nothing returning true
"""
# The lock serialises commands for one tenant. Bets do not wait for it.
TENANT: Final = """
    select display_name, ledger_id, parent_id, tenant_type from casino.tenants where tenant_id = %(tenant)s
    for no key update
"""
NEW_GAME: Final = """
    insert into casino.games
        (tenant_id, game_id, game_code, display_name, stake_min_minor, stake_max_minor, win_cap_minor)
    values (%(tenant)s, %(game)s, %(code)s, %(name)s, %(least)s, %(most)s, %(cap)s)
    on conflict do nothing returning true
"""
SAME_GAME: Final = """
    select from casino.games
    where tenant_id = %(tenant)s and game_id = %(game)s and game_code = %(code)s and display_name = %(name)s
        and stake_min_minor = %(least)s and stake_max_minor = %(most)s
        and (%(cap)s::bigint is null or win_cap_minor = %(cap)s)
"""
SET_WIN_CAP: Final = """
    update casino.games set win_cap_minor = %(cap)s where tenant_id = %(tenant)s and game_id = %(game)s returning true
"""
WALLETS: Final = """
    select w.ledger_id, w.player_name, w.currency, w.balance_minor, coalesce(d.amount_minor, 0) as opening_minor
    from casino.wallets as w left join casino.transactions as d
        on d.ledger_id = w.ledger_id and d.wallet_id = w.wallet_id and d.transaction_id = '§opening-balance'
    where w.tenant_id = %(tenant)s and w.player_id = %(player)s
"""
OPEN_PLAYER: Final = (
    "select casino.open_player(%(tenant)s, %(player)s, %(name)s, %(currency)s, %(balance)s, %(ledger)s)"
)

Connection = psycopg.Connection[dict[str, Any]]


@click.command("create-tenant")
@click.argument("tenant", required=False)
@click.option("--ledger", help="The number of its ledger. CASINO_LEDGER unless given, or 1.")
@click.option("--name", help="The name to show. The tenant's id unless given.")
@click.option(
    "--parent", help="The tenant above it, in the same ledger. Without it the ledger is made with the tenant."
)
@click.option("--type", "kind", type=click.Choice(TENANT_TYPES), default="OPERATOR", show_default=True)
def create_tenant_command(
    tenant: str | None, ledger: str | None, name: str | None, parent: str | None, kind: str
) -> None:
    """Create a tenant with its ledger, or below another tenant. TENANT is CASINO_TENANT unless given."""
    settings = CommandSettings.from_environment()
    tenant_id = settings.tenant_id if tenant is None else _identifier("TENANT", tenant)
    ledger_id = settings.ledger_id if ledger is None else _whole("--ledger", ledger, 1, LEDGER_MAX)
    values = {
        "tenant": tenant_id,
        "ledger": ledger_id,
        "name": _name("--name", name or tenant_id),
        "parent": None if parent is None else _identifier("--parent", parent),
        "type": kind,
    }
    with _owners_transaction(settings) as connection:
        statements = (NEW_TENANT, NEW_LEDGER) if parent is None else (NEW_TENANT_BELOW,)
        made = [connection.execute(statement, values).fetchone() for statement in statements]
        there = connection.execute(TENANT, values).fetchone()
        if (why := _why_not_this_tenant(there, values, named=name is not None)) is not None:
            raise click.ClickException(f"{why}; nothing was changed")
    state = "was created" if any(made) else "was there already"
    click.echo(
        f"Tenant {tenant_id} with ledger {ledger_id} {state};"
        f" serve it with CASINO_TENANT={tenant_id} and CASINO_LEDGER={ledger_id}."
    )


def _why_not_this_tenant(there: dict[str, Any] | None, wanted: dict[str, Any], *, named: bool) -> str | None:
    """Returns what differs between the tenant in the database and the wanted one, or None."""
    if there is None:
        return f"ledger {wanted['ledger']} has no tenant {wanted['parent']}"
    if there["ledger_id"] is None:
        return f"ledger {wanted['ledger']} belongs to another tenant"
    if there["ledger_id"] != wanted["ledger"]:
        return f"tenant {wanted['tenant']} belongs to ledger {there['ledger_id']}"
    if (there["parent_id"], there["tenant_type"]) != (wanted["parent"], wanted["type"]):
        return f"tenant {wanted['tenant']} has another parent or type"
    if named and there["display_name"] != wanted["name"]:
        return f"tenant {wanted['tenant']} has another name"
    return None


@click.command("add-game")
@click.argument("game_id")
@click.argument("game_code")
@click.argument("name")
@click.option("--min-bet-minor", required=True, help="The smallest bet, in minor units of the player's currency.")
@click.option("--max-bet-minor", required=True, help="The largest bet.")
@click.option("--win-cap-minor", help="The most that one round may pay. 100,000 times the largest bet unless given.")
def add_game_command(
    game_id: str, game_code: str, name: str, *, min_bet_minor: str, max_bet_minor: str, win_cap_minor: str | None
) -> None:
    """Add a game to the tenant. GAME_ID is the id that clients launch, GAME_CODE the provider's id of the game."""
    settings = CommandSettings.from_environment()
    least = _amount("--min-bet-minor", min_bet_minor, 1)
    values = {
        "tenant": settings.tenant_id,
        "game": _identifier("GAME_ID", game_id),
        "code": _identifier("GAME_CODE", game_code),
        "name": _name("NAME", name),
        "least": least,
        "most": _amount("--max-bet-minor", max_bet_minor, least),
        "cap": None if win_cap_minor is None else _amount("--win-cap-minor", win_cap_minor, 1),
    }
    with _owners_transaction(settings) as connection:
        is_new = connection.execute(NEW_GAME, values).fetchone() is not None
        if not is_new and connection.execute(SAME_GAME, values).fetchone() is None:
            raise click.ClickException(
                f"tenant {settings.tenant_id} has game {game_id} or code {game_code} with other values;"
                " nothing was changed"
            )
    click.echo(f"Game {game_id} ({game_code}) {'was added' if is_new else 'was there already'}.")


@click.command("set-win-cap")
@click.argument("game_id")
@click.argument("amount_minor")
def set_win_cap_command(game_id: str, amount_minor: str) -> None:
    """Set the most that one round of a game may pay, for sessions that are launched from now on."""
    settings = CommandSettings.from_environment()
    cap = _amount("AMOUNT_MINOR", amount_minor, 1)
    values = {"tenant": settings.tenant_id, "game": _identifier("GAME_ID", game_id), "cap": cap}
    with _owners_transaction(settings) as connection:
        if connection.execute(SET_WIN_CAP, values).fetchone() is None:
            raise click.ClickException(f"tenant {settings.tenant_id} has no game {game_id}; nothing was changed")
    click.echo(f"A round of game {game_id} pays {cap} minor units at most, in sessions that are launched from now on.")


@click.command("add-player")
@click.argument("player_id")
@click.argument("name")
@click.option("--currency", required=True, help="3 to 8 capital letters and digits, such as EUR.")
@click.option("--balance-minor", default="0", help="The opening balance in minor units, booked as a deposit.")
def add_player_command(player_id: str, name: str, *, currency: str, balance_minor: str) -> None:
    """Open a player with a wallet. A player who exists gets no money."""
    settings = CommandSettings.from_environment()
    if CURRENCY.fullmatch(currency) is None:
        raise click.ClickException("--currency must be 3 to 8 capital letters and digits")
    opening = _amount("--balance-minor", balance_minor, 0)
    values = {
        "tenant": settings.tenant_id,
        "ledger": settings.ledger_id,
        "player": _identifier("PLAYER_ID", player_id),
        "name": _name("NAME", name),
        "currency": currency,
        "balance": opening,
    }
    with _owners_transaction(settings) as connection:
        there = connection.execute(TENANT, values).fetchone()
        if there is None or there["ledger_id"] != settings.ledger_id:
            raise click.ClickException(
                f"tenant {settings.tenant_id} with ledger {settings.ledger_id} is not there:"
                " run `casino create-tenant` first"
            )
        was_there = bool(connection.execute(WALLETS, values).fetchall())
        if not was_there:
            connection.execute(OPEN_PLAYER, values)
        wallets = connection.execute(WALLETS, values).fetchall()
        found = [(row["ledger_id"], row["player_name"], row["currency"], row["opening_minor"]) for row in wallets]
        if found != [(settings.ledger_id, name, currency, opening)]:
            raise click.ClickException(
                f"player {player_id} exists with another name, currency, ledger or opening balance; nothing was changed"
            )
    state = "was there already, and nothing was booked" if was_there else "was added"
    click.echo(f"Player {player_id} {state}; the balance is {wallets[0]['balance_minor']} {currency} minor units.")


@contextmanager
def _owners_transaction(settings: CommandSettings) -> Iterator[Connection]:
    """One transaction as the schema's owner. An exception rolls it back. Raises ClickException."""
    opened = connected(settings.owner_url, service=SCHEMA.name, role=SCHEMA.owner_role)
    try:
        with opened as connection, connection.transaction():
            connection.row_factory = dict_row
            yield connection
    except psycopg.errors.ForeignKeyViolation:
        raise click.ClickException(
            f"tenant {settings.tenant_id} is not there: run `casino create-tenant` first"
        ) from None


def _identifier(argument: str, text: str) -> str:
    try:
        return checked_identifier(text)
    except Unfit as unfit:
        raise click.ClickException(f"{argument} {unfit}") from None


def _whole(argument: str, text: str, least: int, most: int) -> int:
    try:
        return checked_whole(text, least, most)
    except Unfit as unfit:
        raise click.ClickException(f"{argument} {unfit}") from None


def _amount(argument: str, text: str, least: int) -> int:
    return _whole(argument, text, least, AMOUNT_MAX_MINOR)


def _name(argument: str, text: str) -> str:
    if not (text.strip() and text.isprintable() and len(text) <= NAME_MAX_CHARACTERS):
        raise click.ClickException(f"{argument} must be 1 to {NAME_MAX_CHARACTERS} printable characters")
    return text
