"""The operator's commands `provider reconcile`, `provider heads` and `provider transaction`.

Results go to standard output, logs to standard error.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final

import click
import psycopg

from provider.settings import Settings, SettingsRefused
from provider.sql.schema import SCHEMA, database_for
from shared_service.postgres import sessions as postgres_session
from shared_service.postgres.database import DATABASE_DOWN, Database
from shared_service.run.log import configure_logging

COULD_NOT_FINISH: Final = 2
AWAY: Final = "these books' database does not answer"
BUSY: Final = "another run is under way: wait for it, or for its lease to end"


CASINO_OPTION: Final = click.option(
    "--casino", "casino_code", metavar="CODE", help="The casino's code. With one casino it may be left out."
)


@click.command()
@CASINO_OPTION
@click.option(
    "--no-heal", is_flag=True, help="Only compare: send and repair nothing. The run and its differences are recorded."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def reconcile(casino_code: str | None, no_heal: bool, as_json: bool) -> None:
    """Compare these books with a casino's. Exit status: 0 no open difference, 1 some, 2 could not finish."""
    from provider.reconciliation.report import ProgressBar, print_report  # noqa: PLC0415 -- rich is slow to load

    settings = _settings()
    code = _one_casino(settings, casino_code)
    try:
        with ProgressBar(shown=not as_json) as bar:
            report = asyncio.run(_reconcile(settings, code, bar, heals=not no_heal))
    except KeyboardInterrupt:  # click would exit with 1, which means open differences
        raise _CouldNotFinish("interrupted") from None
    if as_json:
        click.echo(json.dumps(report))
    else:
        print_report(report)
    raise SystemExit(report["exitStatus"])


@click.command()
@CASINO_OPTION
def heads(casino_code: str | None) -> None:
    """Print the newest head of each player's chain as JSON lines, for `check-ledger --heads` of that casino."""
    settings = _settings()
    asyncio.run(_print_heads(settings, _one_casino(settings, casino_code)))


@click.command()
@click.argument("transaction_id")
@click.option("--casino", "casino_code", metavar="CODE", help="Only of this casino. Without it: of any.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def transaction(transaction_id: str, casino_code: str | None, as_json: bool) -> None:
    """Print everything in these books about a transaction; exit status 1 when they do not have it."""
    life = asyncio.run(_life(_settings(), transaction_id, casino_code))
    if life is None:
        raise click.ClickException("these books have no transaction with that id")
    if as_json:
        click.echo(json.dumps(life))
    else:
        for line in _lines(life, 0):
            click.echo(line)


async def _reconcile(settings: Settings, casino_code: str, bar: Any, *, heals: bool) -> dict[str, Any]:
    from provider.reconciliation.queries import ReconciliationBooks  # noqa: PLC0415 -- refusals of the environment come before heavy imports
    from provider.reconciliation.report import report_of, unfinished  # noqa: PLC0415
    from provider.reconciliation.run import Progress  # noqa: PLC0415
    from provider.reconciliation.serving import reconcile, this_process  # noqa: PLC0415
    from provider.sessions.peers import peers_of  # noqa: PLC0415

    try:
        async with database_for(settings) as pool, peers_of(settings).running() as peers:
            casino = peers.casinos.of(casino_code)
            if casino is None:
                return unfinished(f"the casino {casino_code} is off")
            books = ReconciliationBooks(pool, casino_code)
            run_id = await books.begin(this_process(), heals=heals, scheduled_for=None)
            if run_id is None:
                return unfinished(BUSY)
            bar.expects(await books.estimated_transactions())
            progress = Progress(run_id, changed=bar.shows)
            status = await reconcile(settings, pool, progress, casino=casino, sealer=peers.sealer, heals=heals)
            return await report_of(books, run_id, exit_status=status)
    except DATABASE_DOWN:
        return unfinished(_away(settings))
    except Exception as error:
        # Python would exit with 1 after a crash, which means open differences.
        return unfinished(f"a defect: {type(error).__name__}")


async def _print_heads(settings: Settings, casino_code: str) -> None:
    from provider.audit.queries import newest_heads  # noqa: PLC0415 -- as above

    async with _books(settings) as pool:
        async for head in newest_heads(pool, casino_code):
            click.echo(json.dumps(head))


async def _life(settings: Settings, transaction_id: str, casino_code: str | None) -> dict[str, Any] | None:
    from provider.audit.queries import life_of  # noqa: PLC0415 -- as above

    async with _books(settings) as pool:
        return await life_of(pool, transaction_id, casino_code)


def _one_casino(settings: Settings, asked: str | None) -> str:
    """The code of the casino that a command is for. Ends the command when it is unknown, or one of several."""
    codes = settings.casino_codes()
    if asked is None and len(codes) == 1:
        return codes[0]
    if asked in codes:
        return asked
    why = "name one with --casino" if asked is None else f"there is no casino {asked}"
    raise _CouldNotFinish(f"{why}; there are: {', '.join(codes)}")


def _lines(members: dict[str, Any], depth: int) -> Iterator[str]:
    """Format a transaction as indented lines, without the members that are null."""
    indent = "  " * depth
    for name, value in members.items():
        if isinstance(value, dict):
            yield f"{indent}{name}:"
            yield from _lines(value, depth + 1)
        elif isinstance(value, list):
            yield f"{indent}{name}: {len(value) or 'none'}"
            for number, each in enumerate(value, start=1):
                yield f"{indent}  {number}."
                yield from _lines(each, depth + 2)
        elif value is not None:
            yield f"{indent}{name}: {value}"


@asynccontextmanager
async def _books(settings: Settings) -> AsyncIterator[Database]:
    try:
        async with database_for(settings) as pool:
            yield pool
    except DATABASE_DOWN:
        raise _CouldNotFinish(_away(settings)) from None
    except psycopg.Error as error:
        raise _CouldNotFinish(postgres_session.sentence(error, service="provider")) from None


def _away(settings: Settings) -> str:
    why = postgres_session.why_away_now(settings.database_url, role=SCHEMA.app_role, application_name="provider-books")
    return f"{AWAY}: {why or 'the connection broke and works again, repeat the command'}"


class _CouldNotFinish(click.ClickException):
    """The command read nothing: exit status 2, because 1 is a result."""

    exit_code = COULD_NOT_FINISH


def _settings() -> Settings:
    try:
        settings = Settings.from_environment()
    except SettingsRefused as error:
        raise _CouldNotFinish(f"the settings are refused:\n{error}") from None
    why = postgres_session.why_unfit(
        settings.database_url, role=SCHEMA.app_role, application_name="provider-books", migrated=True
    )
    if why is not None:
        raise _CouldNotFinish(why)
    configure_logging(log_format=settings.log_format, level=settings.log_level, service="provider", stream=sys.stderr)
    return settings
