"""The command line of the provider: `provider serve`, `migrate`, `reconcile` and the others.

Each command reads the settings, checks that the database fits, and only then imports what it needs.
"""

import asyncio
import os
import time
from typing import Final

from shared_service.settings import host_variables

IGNORED: Final = host_variables.ignore(os.environ)  # before the imports: some libraries read these variables

import click
import structlog

from provider.audit.commands import heads, reconcile, transaction
from provider.offers.commands import resume, stop
from provider.settings import Settings, owner_database_url
from provider.sql.schema import SCHEMA
from shared_service.keys.commands import KeyCommands
from shared_service.postgres import sessions as postgres_session
from shared_service.run.command_line import Commands, migrate_command
from shared_service.run.log import configure_logging
from shared_service.settings.keys import refuse_ended


@click.group("provider", cls=Commands)
def main() -> None:
    """The studio's game server."""
    if IGNORED:
        click.echo(f"provider: ignored {', '.join(IGNORED)}: PROVIDER_DATABASE_URL says how to connect", err=True)


main.add_command(migrate_command(SCHEMA, owner_database_url))
for command in KeyCommands(
    "provider", ("casino", "provider"), lambda: Settings.from_environment().with_all_keys(), owner_database_url
).commands():
    main.add_command(command)


@main.command()
def serve() -> None:
    """Serve until SIGTERM or SIGINT; requests in flight are finished first."""
    from shared_service.run.server import serve as run  # noqa: PLC0415 -- refusals of the environment come before heavy imports

    settings = Settings.from_environment()
    refuse_ended(settings.directions(), now=time.time())
    _refuse_unfit(settings)
    configure_logging(log_format=settings.log_format, level=settings.log_level, service="provider")
    _log_start_notes(settings)
    run(
        "provider.app:create_from_environment",
        prefix="PROVIDER",
        settings=settings.listeners,
    )


for command in (reconcile, heads, transaction, stop, resume):
    main.add_command(command)


@main.command("recover-once")
def recover_once() -> None:
    """Send due payouts and rollbacks, print how many transactions are still open; exit status 1 if any is."""
    from provider.outbox.serving import recover  # noqa: PLC0415

    settings = Settings.from_environment()
    postgres_session.connect(
        settings.database_url, role=SCHEMA.app_role, application_name="provider-recover-once", migrated=True
    ).close()
    configure_logging(log_format=settings.log_format, level=settings.log_level, service="provider")
    open_count = asyncio.run(recover(settings))
    click.echo(f"{open_count} transactions without a known end")
    raise SystemExit(1 if open_count else 0)


def _log_start_notes(settings: Settings) -> None:
    """Log the warnings about the settings, and demo mode."""
    log = structlog.get_logger()
    for note in settings.notes:
        log.warning("setting_noted", note=note)
    if settings.demo:
        log.warning("demo_mode", note="well-known secrets are accepted: not for real money")


def _refuse_unfit(settings: Settings) -> None:
    why = postgres_session.why_unfit(settings.database_url, role=SCHEMA.app_role, application_name="provider-start")
    if why is not None:
        raise click.ClickException(why)


if __name__ == "__main__":
    main(prog_name="provider")
