"""The command line `casino`: serve, migrate, and the commands for installing, auditing and keys."""

from __future__ import annotations

import os
import sys
import time

from shared_service.settings import host_variables

IGNORED = host_variables.ignore(os.environ)  # first, because libraries read some when they are imported

import click
import structlog

from casino.audit.commands import check_ledger_command, transaction_command
from casino.client.commands import revoke_tokens_command
from casino.events.commands import events_commands, games_commands
from casino.ops.installation import add_game_command, add_player_command, create_tenant_command, set_win_cap_command
from casino.settings import WORKERS_MAX, CommandSettings, Settings
from casino.sql.schema import SCHEMA
from casino.staff.commands import staff_commands
from shared_service.keys.commands import KeyCommands
from shared_service.run.command_line import Commands, migrate_command
from shared_service.run.log import configure_logging
from shared_service.settings.keys import refuse_ended


@click.group("casino", cls=Commands)
def main() -> None:
    """The operator's wallet and platform."""
    if IGNORED:
        click.echo(f"casino: ignored {', '.join(IGNORED)}: CASINO_DATABASE_URL says how to connect", err=True)


main.add_command(create_tenant_command)
main.add_command(add_game_command)
main.add_command(set_win_cap_command)
main.add_command(add_player_command)
main.add_command(check_ledger_command)
main.add_command(transaction_command)
main.add_command(revoke_tokens_command)
main.add_command(staff_commands)
main.add_command(events_commands)
main.add_command(games_commands)
for command in KeyCommands(
    "casino", ("casino", "provider"), Settings.from_environment, lambda: CommandSettings.from_environment().owner_url
).commands():
    main.add_command(command)


@main.command("after-restore")
def after_restore() -> None:
    """Let the transaction feed go on after the database was restored, before the service starts. Safe to repeat."""
    from casino.audit.after_restore import NotDone, move_feeds_ahead  # noqa: PLC0415 - only this command needs it

    try:
        for line in move_feeds_ahead(_owner_url()):
            click.echo(line)
    except NotDone as error:
        sys.exit(f"casino: {error}")


@main.command("seed-demo")
@click.option("--only-in-demo-mode", is_flag=True, help="Do nothing unless CASINO_DEMO says yes.")
def seed_demo(*, only_in_demo_mode: bool) -> None:
    """Load the demo tenant, games and players; in demo mode also staff with a published password."""
    from casino.ops.demo import seed_demo as run  # noqa: PLC0415 - only this command needs it
    from casino.ops.demo_staff import seed_demo_staff  # noqa: PLC0415 - as above

    is_demo = CommandSettings.from_environment().demo
    if only_in_demo_mode and not is_demo:
        return
    run(_owner_url())
    if is_demo:
        seed_demo_staff(_owner_url())


@main.command("demo-data")
@click.option("--bets", type=click.IntRange(100, 5_000_000), default=200_000, show_default=True, help="At least that.")
def demo_data(bets: int) -> None:
    """Make thirty days of history for the demo, in demo mode and while no service runs. A second call does nothing."""
    from casino.ops.demo_data.command import show_demo_data  # noqa: PLC0415 - only this command needs it

    show_demo_data(Settings.from_environment(), bets)


@main.command()
@click.option("--workers", type=click.IntRange(1, WORKERS_MAX), help="Processes that serve; CASINO_WORKERS, or 1.")
def serve(workers: int | None) -> None:
    """Serve HTTP until SIGTERM or SIGINT; requests in flight are finished first."""
    from casino.audit.after_restore import why_not_to_start  # noqa: PLC0415 - only this command needs it
    from shared_service.metrics.workers import shared_by_workers  # noqa: PLC0415 - as above
    from shared_service.run.server import serve as run  # noqa: PLC0415 - as above

    settings = Settings.from_environment()
    configure_logging(log_format=settings.log_format, level=settings.log_level, service="casino")
    refuse_ended(settings.directions(), now=time.time())
    workers = workers or settings.workers
    _say_at_start(settings)
    if (reason := why_not_to_start(settings)) is not None:
        sys.exit(f"casino: {reason}")
    with shared_by_workers(workers, service="casino"):
        run(
            "casino.app:create_from_environment",
            prefix="CASINO",
            settings=settings.listeners,
            workers=workers,
        )


def _say_at_start(settings: Settings) -> None:
    """Log warnings about the environment, once for all workers."""
    log = structlog.get_logger()
    for note in settings.notes:
        log.warning("setting_noted", note=note)
    if settings.demo:
        log.warning("demo_mode", note="well-known secrets are accepted and anybody may play: not for real money")


def _owner_url() -> str:
    # Only the database's settings, so that a migration's container needs no secret.
    settings = CommandSettings.from_environment()
    configure_logging(log_format=settings.log_format, level=settings.log_level, service="casino")
    return settings.owner_url


main.add_command(migrate_command(SCHEMA, _owner_url))

if __name__ == "__main__":
    main(prog_name="casino")
