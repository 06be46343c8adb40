"""The commands `casino events` and `casino games`. They write as the schema's owner, and bets go on beside them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import IO, Any, Final

import click
import psycopg

from casino.settings import CommandSettings
from casino.sql.schema import SCHEMA
from shared_service.postgres import sessions
from shared_service.run.command_line import connected
from shared_service.settings.values import Unfit, checked_identifier

SOME_WERE_SKIPPED: Final = 2
RTP_DECIMALS: Final = 6
SET_CONFIG: Final = """
    insert into casino.game_configs as config (ledger_id, tenant_id, game_key, since, expected_rtp, stated_by)
    select
        ledger_id, tenant_id, %(game)s, coalesce(%(instant)s::timestamptz, %(day)s::timestamp at time zone timezone),
        %(rtp)s, 'operator'
    from casino.tenants where ledger_id = %(ledger)s and tenant_id = %(tenant)s
    on conflict (ledger_id, tenant_id, game_key, since) do update
    set expected_rtp = excluded.expected_rtp, stated_by = excluded.stated_by
    returning since
"""


@click.group("events")
def events_commands() -> None:
    """The events that analytics reads."""


@click.group("games")
def games_commands() -> None:
    """What is known of games."""


@events_commands.command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
def import_command(file: Path) -> None:
    """Import events of another system: FILE has one JSON object on each line, - is standard input.

    Repeat it with the same file: what is there is known and not imported again. Exit status 0; 2: lines were skipped;
    1: nothing was imported.
    """
    from casino.events.importing import import_events  # noqa: PLC0415 - a serving process does not need it

    settings = CommandSettings.from_environment()
    with _opened(file) as lines, _owner(settings) as connection:
        done = import_events(
            connection, settings.ledger_id, lines, lambda number, why: click.echo(f"line {number}: {why}")
        )
    click.echo(f"imported {done.imported}, known {done.known}, skipped {done.skipped}")
    if done.skipped:
        sys.exit(SOME_WERE_SKIPPED)


@events_commands.command("dedupe")
def dedupe_command() -> None:
    """Delete imported events that are there twice: the earliest stays, and an event of the ledger itself always does.

    Events are the same with the same tenant, type and actionId. Run rebuild-snapshots afterwards.
    """
    from casino.events.importing import dedupe  # noqa: PLC0415 - as above

    settings = CommandSettings.from_environment()
    with _owner(settings) as connection:
        click.echo(f"removed {dedupe(connection, settings.ledger_id)}")


@events_commands.command("rebuild-snapshots")
def rebuild_snapshots_command() -> None:
    """Make the snapshots of sessions anew from all events, imported ones too."""
    from casino.events.importing import rebuild_snapshots  # noqa: PLC0415 - as above

    settings = CommandSettings.from_environment()
    with _owner(settings) as connection:
        click.echo(f"snapshots {rebuild_snapshots(connection, settings.ledger_id)}")


@events_commands.command("detach")
@click.option("--before", required=True, metavar="YYYY-MM", help="Months before this one are detached.")
def detach_command(before: str) -> None:
    """Detach old months of all ledgers: each becomes a table that no report reads. Dump it, then drop it."""
    from casino.events.retention import IN_USE, detach_before, present_month  # noqa: PLC0415 - as above

    settings = CommandSettings.from_environment()
    month = _month(before)
    with _owner(settings) as connection:
        if month > present_month(connection):
            raise click.ClickException("--before lies in the future; nothing was changed")
        try:
            for name in detach_before(connection, month):
                click.echo(f"detached {name}")
        except psycopg.errors.DuplicateTable as error:
            raise click.ClickException(f"{error.diag.message_primary}: dump and drop that table first") from None
        except IN_USE:
            raise click.ClickException("casino.ledger_events is in use all the time: run this again") from None


@games_commands.command("set")
@click.argument("game_key", metavar="GAMEKEY")
@click.option("--expected-rtp", required=True, metavar="FRACTION", help="Such as 0.95: what comes back of each stake.")
@click.option(
    "--since", required=True, metavar="DATE", help="A day of the tenant's time zone, or an instant with an offset."
)
@click.option("--tenant", help="CASINO_TENANT unless given.")
def set_game_command(game_key: str, expected_rtp: str, since: str, tenant: str | None) -> None:
    """Say what a game pays back in the long run, from a day on. Reports compare the actual figure with it."""
    settings = CommandSettings.from_environment()
    values = {
        "ledger": settings.ledger_id,
        "tenant": settings.tenant_id if tenant is None else _identifier("--tenant", tenant),
        "game": _identifier("GAMEKEY", game_key),
        "rtp": _fraction(expected_rtp),
        **_since(since),
    }
    with _owner(settings) as connection:
        row = connection.execute(SET_CONFIG, values).fetchone()
    if row is None:
        raise click.ClickException(f"ledger {settings.ledger_id} has no tenant {values['tenant']}; nothing was changed")
    click.echo(
        f"Game {game_key} of tenant {values['tenant']}: expected RTP {values['rtp']} since {row[0].isoformat()}."
    )


@contextmanager
def _owner(settings: CommandSettings) -> Iterator[psycopg.Connection[Any]]:
    """A connection of the schema's owner, in autocommit. Raises ClickException for what the database says."""
    with connected(settings.owner_url, service=SCHEMA.name, role=SCHEMA.owner_role) as connection:
        try:
            yield connection
        except psycopg.OperationalError as error:
            raise click.ClickException(sessions.sentence(error, service=SCHEMA.name)) from None


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        file = sys.stdin.buffer if str(path) == "-" else path.open("rb")
    except OSError as error:
        raise click.ClickException(f"cannot read {path}: {error.strerror}") from None
    with file:
        yield file


def _identifier(argument: str, text: str) -> str:
    try:
        return checked_identifier(text)
    except Unfit as unfit:
        raise click.ClickException(f"{argument} {unfit}") from None


def _fraction(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not (value.is_finite() and 0 <= value <= 1 and round(value, RTP_DECIMALS) == value):
        raise click.ClickException(
            "--expected-rtp must be a fraction from 0 to 1 with at most six decimals, such as 0.95"
        )
    return value


def _since(text: str) -> dict[str, date | datetime | None]:
    try:
        return {"day": date.fromisoformat(text), "instant": None}
    except ValueError:
        pass
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise click.ClickException("--since must be a date such as 2026-01-31, or an instant with an offset")
    return {"day": None, "instant": instant}


def _month(text: str) -> datetime:
    try:
        return datetime.strptime(f"{text}+0000", "%Y-%m%z")
    except ValueError:
        raise click.ClickException("--before must be a month such as 2026-01") from None
