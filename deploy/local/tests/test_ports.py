"""No port is chosen twice, also by processes that choose at the same time."""

import subprocess
import sys

from local_stack import ports

CHOOSE_ALL = """
from local_stack import ports
ports.PORTS = range({first}, {first} + 4)
ports.TRIES_MAX = 500
chosen = []
try:
    while len(chosen) < 5:
        chosen.append(ports.free_port())
except OSError:
    pass
print(*sorted(chosen), flush=True)
input()
"""


def choose_all(first: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHOOSE_ALL.format(first=first)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def chosen_by(process: subprocess.Popen[str]) -> list[int]:
    assert process.stdout
    return [int(port) for port in process.stdout.readline().split()]


def test_two_processes_never_choose_the_same_port_while_both_live() -> None:
    first = ports.PORTS.stop + 100  # above the range, so no other test chooses it
    with choose_all(first) as one, choose_all(first) as other:
        chosen = chosen_by(one) + chosen_by(other)
        assert sorted(chosen) == list(range(first, first + 4))
        one.communicate("\n")
        other.communicate("\n")
    with choose_all(first) as later:
        assert chosen_by(later) == list(range(first, first + 4)), "a port is free again when its chooser has ended"
        later.communicate("\n")


def test_a_chosen_port_can_be_listened_on() -> None:
    port = ports.free_port()
    assert not ports.is_taken(port)
