"""The commands `serve`, `demo` and `simulate`: terminal output, signals and exit codes."""

import os

from shared_service.settings import host_variables

IGNORED = host_variables.ignore(os.environ)  # before the import of psycopg, which reads some of these variables

import shlex
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click
from rich.console import Console
from rich.text import Text

from local_stack.child import last_lines
from local_stack.cluster import remove_cluster
from local_stack.demo_data import BETS, make_demo_data
from local_stack.environment_files import environment_file
from local_stack.log_follower import LogFollower
from local_stack.logins import WHERE_TO_LOG_IN, how_to_log_in
from local_stack.peers import GAMES
from local_stack.round_table import print_verdict
from local_stack.scripted_round import (
    DEMO_START_MINOR,
    GAME_ID,
    NET_PROFIT_MINOR,
    RoundNotPlayedError,
    judge,
    play_round,
)
from local_stack.settings import (
    CASINO,
    PROVIDER,
    SERVICES,
    StackSettings,
    authorities,
    from_environment,
    hermetic,
    service_url,
    two_pairs,
)
from local_stack.stack import Pairs, RunningStack, running_stack

TABLE_COLUMNS_MIN = 128
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PARENT_POLL_SECONDS = 0.2

parent_option = click.option(
    "--parent", type=int, help="Stop when the process with this id is no longer the parent of this one."
)
peers_option = click.option(
    "--peers", type=click.IntRange(1, 2), default=1, help="2: two casinos and two providers that know each other."
)


class StopRequested(BaseException):
    """Ctrl-C, SIGTERM or SIGHUP."""


@contextmanager
def stoppable(parent: int | None) -> Iterator[None]:
    """Raise StopRequested on the first stop signal, and ignore later ones, so that stopping can finish."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise StopRequested

    for number in STOP_SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(number, stop)
    if parent is not None:
        threading.Thread(target=_stop_without, args=[parent], name="parent-watch", daemon=True).start()
    yield


def _stop_without(parent: int) -> None:
    """Stop when the parent is gone: a killed `make` sends no signal, and the stack would keep its ports."""
    while os.getppid() == parent:
        time.sleep(PARENT_POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def terminal() -> Console:
    """A console; as wide as the table needs when the output is not a terminal."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=TABLE_COLUMNS_MIN)


class Progress:
    """Prints a line for each long step, with the time since the start."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()

    def __call__(self, step: str) -> None:
        self._console.print(Text(f"[{time.monotonic() - self._started:5.1f} s] {step}", style="dim"))


@contextmanager
def temporary_state() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="demo-", ignore_cleanup_errors=True) as folder:
        try:
            yield Path(folder)
        finally:
            remove_cluster(Path(folder))


@click.group()
def main() -> None:
    """The whole stack on one machine, without Docker."""


@main.command()
@parent_option
@peers_option
def serve(parent: int | None, peers: int) -> None:
    """Start PostgreSQL and the services and stay in the foreground until Ctrl-C."""
    console = terminal()
    first = from_environment(os.environ)
    pairs = (first,) if peers == 1 else two_pairs(first, os.environ)
    names = [settings.name_of(service) for settings in pairs for service in SERVICES]
    logs = {name: first.state_dir / "logs" / f"{name}.log" for name in names}
    try:
        with stoppable(parent), LogFollower(console, logs), running_stack(pairs, Progress(console)) as stack:
            _print_addresses(console, stack)
            stack.watch()
    except StopRequested:
        console.print("stopped")


def _print_addresses(console: Console, stack: RunningStack) -> None:
    first = stack.pairs[0]
    for settings in stack.pairs:
        _print_lines(console, _addresses(settings))
    _print_lines(
        console,
        {
            "PostgreSQL": f"127.0.0.1:{stack.postgres.port}" if stack.postgres else "as given in the environment",
            "state": str(first.state_dir),
            "logs": str(first.state_dir / "logs"),
        },
    )
    if published := published_secrets(stack.pairs):
        console.print(Text(f"published demo secrets are in use: {published}", style="yellow"), soft_wrap=True)
    console.print(Text(how_to_log_in(first)), soft_wrap=True)
    play = "play a round with `make simulate`" if first.is_demo else "rounds are simulated in demo mode only"
    if len(stack.pairs) > 1:
        play += f", or at the second casino, or of the other studio: `make simulate PEER=2 GAME={GAMES[0][0]}`"
    console.print(Text(f"ready: {play}, stop with Ctrl-C", style="bold green"), soft_wrap=True)


def published_secrets(pairs: Pairs) -> str:
    """The published secrets that the services have, as they are printed; empty when there are none."""
    of_pairs = [" and ".join(f"{name}={secret}" for name, secret in each.demo_secrets().items()) for each in pairs]
    told = [f"{'in the second pair ' * place}{secrets}" for place, secrets in enumerate(of_pairs) if secrets]
    files = ["those of the files in two-peers/"] if len(pairs) > 1 else []
    return ", ".join([*told, *files])


def _addresses(settings: StackSettings) -> dict[str, str]:
    return {
        **{settings.name_of(service): settings.url(service) for service in SERVICES},
        "metrics": " ".join(f"{settings.ops_url(service)}/metrics" for service in SERVICES),
        "health": f"{settings.ops_url(PROVIDER)}/health/wallet",
        **{f"{settings.name_of(service)} …": _command_line(settings, service) for service in SERVICES},
    }


def _print_lines(console: Console, lines: dict[str, str]) -> None:
    for name, value in lines.items():
        console.print(Text(f"{name:>12}  {value}"), soft_wrap=True)


def _command_line(settings: StackSettings, service: str) -> str:
    """A shell line that runs a command of the service on this stack."""
    program = Path(sys.executable).with_name(service)
    file = shlex.quote(str(environment_file(settings, service)))
    return f"set -a; . {file}; set +a; {shlex.quote(str(program))} --help"


@main.command()
@parent_option
@peers_option
def demo(parent: int | None, peers: int) -> None:
    """Start everything in a temporary folder, play the scripted round, show it and stop."""
    console = terminal()
    try:
        with stoppable(parent), temporary_state() as state_dir:
            passed = _play_demo(console, hermetic(state_dir, pairs=peers))
    except StopRequested:
        console.print("stopped before the round was played")
        sys.exit(130)
    sys.exit(0 if passed else 1)


def _play_demo(console: Console, pairs: Pairs) -> bool:
    """Play one round; with two pairs, a round of each studio at each casino."""
    progress = Progress(console)
    games = [GAME_ID] if len(pairs) == 1 else [GAME_ID, GAMES[0][0]]
    with running_stack(pairs, progress) as stack:
        verdicts = []
        for settings in stack.pairs:
            for played, game_id in enumerate(games):
                progress(f"playing the scripted round of game {game_id} at {settings.name_of(CASINO)} over signed HTTP")
                report = play_round(settings.url(CASINO), game_id=game_id)
                verdicts.append(judge(report, start_minor=DEMO_START_MINOR + played * NET_PROFIT_MINOR))
    console.print(Text(WHERE_TO_LOG_IN), soft_wrap=True)
    for verdict in verdicts:
        print_verdict(console, verdict)
    passed = all(verdict.passed for verdict in verdicts)
    if not passed:  # the logs are deleted with their folder
        for service in stack.services:
            console.print(
                Text(f"\nthe end of {service.log_path.name}:\n{last_lines(service.log_path)}"), soft_wrap=True
            )
    return passed


@main.command("demo-data")
@parent_option
@click.option("--bets", type=int, default=BETS, show_default=True, help="At least that many.")
def demo_data(parent: int | None, bets: int) -> None:
    """Make thirty days of history in the state folder of `serve`, while nothing runs there."""
    console = terminal()
    try:
        with stoppable(parent):
            make_demo_data(from_environment(os.environ), Progress(console), bets=bets)
    except StopRequested:
        console.print("stopped: a part of the demo data is there; remove the state folder before the next try")
        sys.exit(130)
    console.print(Text("start the services with `make serve`", style="bold green"))


@main.command()
@click.option("--peer", type=click.IntRange(1, 2), default=1, help="2: the second casino, of `serve --peers 2`.")
@click.option("--game", default=GAME_ID, help="The game's id at that casino, which says the studio.")
def simulate(peer: int, game: str) -> None:
    """Play the scripted round against a running stack, at CASINO_URL or CASINO_HOST and CASINO_PORT."""
    given = os.environ.get("CASINO_URL") if peer == 1 else None
    casino_url = given or service_url(os.environ, CASINO, pair=peer)
    verdict = judge(play_round(casino_url.rstrip("/"), game_id=game, ca_file=authorities(os.environ)))
    print_verdict(terminal(), verdict)
    sys.exit(0 if verdict.passed else 1)


def run() -> None:
    """Run a command. An expected failure is printed as one message, without a traceback."""
    if IGNORED:
        click.echo(f"ignored {', '.join(IGNORED)}: addresses of databases say how to connect", err=True)
    try:
        main()
    except (RuntimeError, ValueError, OSError, RoundNotPlayedError) as error:
        Console(stderr=True, highlight=False).print(Text(f"FAILED  {error}", style="bold red"), soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    run()
