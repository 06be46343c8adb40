"""The commands `serve`, `demo` and `simulate`: read the environment, run the stack, show it to a person.

Owns the terminal, the signals and the exit code, and nothing else.
"""

import os
import signal
import sys
import tempfile
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
from local_stack.log_follower import LogFollower
from local_stack.round_table import print_verdict
from local_stack.scripted_round import DEMO_START_MINOR, RoundNotPlayedError, judge, play_round
from local_stack.settings import CASINO, DEFAULT_PORTS, PROVIDER, SERVICES, StackSettings, from_environment, hermetic
from local_stack.stack import RunningStack, running_stack

TABLE_COLUMNS_MIN = 128
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequested(BaseException):
    """Ctrl-C, or a signal that means the same."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Turns the first stop signal into StopRequested; later ones change nothing, so that stopping can finish."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise StopRequested

    for number in STOP_SIGNALS:
        signal.signal(number, stop)
    yield


def terminal() -> Console:
    """As wide as the table needs when nobody's window decides."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=TABLE_COLUMNS_MIN)


class Progress:
    """One line for each long step, with the time since the start."""

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
def serve() -> None:
    """Start PostgreSQL and both services and stay in the foreground until Ctrl-C."""
    console = terminal()
    settings = from_environment(os.environ)
    logs = {name: settings.state_dir / "logs" / f"{name}.log" for name in SERVICES}
    try:
        with stoppable(), LogFollower(console, logs), running_stack(settings, Progress(console)) as stack:
            _print_addresses(console, stack)
            stack.watch()
    except StopRequested:
        console.print("stopped")


def _print_addresses(console: Console, stack: RunningStack) -> None:
    settings = stack.settings
    lines = {
        "casino": settings.url(CASINO),
        "provider": settings.url(PROVIDER),
        "PostgreSQL": f"127.0.0.1:{stack.postgres.port}" if stack.postgres else "as given in the environment",
        "state": str(settings.state_dir),
        "logs": str(settings.state_dir / "logs"),
    }
    for name, place in lines.items():
        console.print(Text(f"{name:>12}  {place}"), soft_wrap=True)
    console.print(Text("ready: play a round with `make simulate`, stop with Ctrl-C", style="bold green"))


@main.command()
def demo() -> None:
    """Start everything in a temporary folder, play the scripted round, show it and stop."""
    console = terminal()
    try:
        with stoppable(), temporary_state() as state_dir:
            passed = _play_demo(console, hermetic(state_dir))
    except StopRequested:
        console.print("stopped before the round was played")
        sys.exit(130)
    sys.exit(0 if passed else 1)


def _play_demo(console: Console, settings: StackSettings) -> bool:
    progress = Progress(console)
    with running_stack(settings, progress) as stack:
        progress("playing the scripted round over signed HTTP")
        verdict = judge(play_round(stack.settings.url(CASINO)), start_minor=DEMO_START_MINOR)
    print_verdict(console, verdict)
    if not verdict.passed:  # the logs are about to go with their folder
        for service in stack.services:
            console.print(
                Text(f"\nthe end of {service.log_path.name}:\n{last_lines(service.log_path)}"), soft_wrap=True
            )
    return verdict.passed


@main.command()
def simulate() -> None:
    """Play the scripted round against a running stack, at CASINO_URL or CASINO_PORT."""
    port = os.environ.get("CASINO_PORT") or DEFAULT_PORTS[CASINO]
    casino_url = os.environ.get("CASINO_URL") or f"http://127.0.0.1:{port}"
    verdict = judge(play_round(casino_url.rstrip("/")))
    print_verdict(terminal(), verdict)
    sys.exit(0 if verdict.passed else 1)


def run() -> None:
    """Failures that a person can do something about are one message, not a traceback."""
    try:
        main()
    except (RuntimeError, ValueError, OSError, RoundNotPlayedError) as error:
        Console(stderr=True, highlight=False).print(Text(f"FAILED  {error}", style="bold red"))
        sys.exit(1)


if __name__ == "__main__":
    run()
