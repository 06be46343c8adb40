"""Makes the history of the demo on a stack whose services are stopped, with the progress on the terminal."""

import signal
import subprocess
import sys

from local_stack.child import start_child
from local_stack.service import ServiceFailedError
from local_stack.settings import CASINO, StackSettings
from local_stack.stack import Announce, prepared_stack

BETS = 200_000
STOP_TIMEOUT_SECONDS = 15


def make_demo_data(settings: StackSettings, announce: Announce, *, bets: int) -> None:
    """Run `casino demo-data`, which does nothing the second time. Raises ServiceFailedError."""
    with prepared_stack((settings,), announce, listens=False) as stack:
        urls = stack.urls[0][CASINO]
        environment = settings.environment(
            CASINO,
            database_url=urls.database_url,
            owner_database_url=urls.owner_database_url,
            oversight_database_url=urls.oversight_database_url,
        )
        command = [sys.executable, "-P", "-m", CASINO, "demo-data", "--bets", str(bets)]
        child = start_child(command, None, environment=environment, dies_with=signal.SIGINT)
        try:
            code = child.wait()
        finally:
            _end(child)
        if code != 0:
            raise ServiceFailedError(f"casino demo-data ended with {code}")


def _end(child: subprocess.Popen[bytes]) -> None:
    """Let the command put the clock back, if it still runs."""
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
        try:
            child.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
