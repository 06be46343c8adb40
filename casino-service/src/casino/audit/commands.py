"""The auditing commands `casino check-ledger` and `casino transaction`. They need no secret, and change no books.

What `check-ledger` finds is told to webhooks: it writes nothing else, and nothing where no webhook asks for it.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Final, NoReturn

import click
import msgspec
import psycopg

from casino.audit.heads import batches_of_heads
from casino.audit.ledger_check import examine
from casino.audit.snapshot import CannotRead, books_at_one_moment
from casino.audit.telling import tell_findings
from casino.audit.transaction_life import lives_of
from casino.settings import CommandSettings
from shared_service.settings.reader import SettingsRefused

IS_WHOLE: Final = 0
IS_NOT_WHOLE: Final = 1
NEVER_SEEN: Final = 1
COULD_NOT_CHECK: Final = 2

database_option = click.option("--database", help="CASINO_OWNER_DATABASE_URL unless given.")
ledger_option = click.option("--ledger", "ledger_id", type=int, help="CASINO_LEDGER unless given, or 1.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command("check-ledger")
@click.option(
    "--heads",
    "heads_file",
    type=click.Path(path_type=Path),
    help="JSON lines written by `provider heads` before this check: finds a tail that was cut off.",
)
@click.option(
    "--casino-code",
    metavar="CODE",
    help="The casino's name at the provider of --heads; the ledger's tenant unless given.",
)
@database_option
@ledger_option
@json_option
def check_ledger_command(
    heads_file: Path | None, casino_code: str | None, database: str | None, ledger_id: int | None, *, as_json: bool
) -> None:
    """Check the whole ledger against its rules and its hash chains.

    Webhooks that ask for difference.found are told what it finds.

    Exit status 0: whole; 1: not whole, the first row of each broken rule is named; 2: could not check.
    """
    from casino.audit import printing  # noqa: PLC0415 - a serving process does not need rich

    heads = batches_of_heads(heads_file) if heads_file is not None else None
    url, ledger = _books(database, ledger_id)
    try:
        with books_at_one_moment(url) as books, printing.Bar() as bar:
            examination = examine(books, ledger, heads, bar, casino_code=casino_code)
    except CannotRead as error:
        _give_up(str(error))
    except KeyboardInterrupt:  # click would exit with 1, which means: not whole
        _give_up("interrupted")
    if examination.findings:
        try:
            tell_findings(url, ledger, examination.findings.values())
        except psycopg.Error as error:  # the verdict stands
            click.echo(f"casino: webhooks were not told: {type(error).__name__}", err=True)
    if as_json:
        click.echo(msgspec.json.encode({**asdict(examination), "findings": list(examination.findings.values())}))
    else:
        printing.print_examination(examination)
    sys.exit(IS_NOT_WHOLE if examination.findings else IS_WHOLE)


@click.command("transaction")
@click.argument("transaction_id")
@click.option("--user", "player_id", help="The player; without it the transactions of all players with this id.")
@database_option
@ledger_option
@json_option
def transaction_command(
    transaction_id: str, player_id: str | None, database: str | None, ledger_id: int | None, *, as_json: bool
) -> None:
    """Show everything that the casino knows about a transaction.

    Exit status 0: shown; 1: never seen; 2: could not read.
    """
    from casino.audit import printing  # noqa: PLC0415 - as above

    url, ledger = _books(database, ledger_id)
    try:
        with books_at_one_moment(url) as books:
            lives = lives_of(books, ledger, transaction_id, player_id)
    except CannotRead as error:
        _give_up(str(error))
    if not lives:
        click.echo(f"transaction {transaction_id} was never seen here", err=True)
        sys.exit(NEVER_SEEN)
    for life in lives:
        if as_json:
            click.echo(msgspec.json.encode(life))
        else:
            printing.print_life(life)


def _books(database: str | None, ledger_id: int | None) -> tuple[str, int]:
    """Returns the database and the ledger from the command line, or else from the environment."""
    if database and ledger_id is not None:
        return database, ledger_id
    try:
        settings = CommandSettings.from_environment()
    except SettingsRefused as error:
        _give_up(str(error))
    return database or _owner_url(settings), settings.ledger_id if ledger_id is None else ledger_id


def _owner_url(settings: CommandSettings) -> str:
    try:
        return settings.owner_url
    except SettingsRefused as error:
        _give_up(str(error))


def _give_up(reason: str) -> NoReturn:
    click.echo(f"casino: {reason}", err=True)
    sys.exit(COULD_NOT_CHECK)
