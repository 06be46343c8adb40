"""Hashes passwords with argon2id, in the calling thread or as a process of its own: `python -m casino.staff.hashing`.

The process reads questions from its standard input, one JSON array on each line, and writes the answers to its standard
output, in any order. It ends with its input, so it does not outlive the service that asks.

    [7, "a password", null]            asks for a hash         [7, "$argon2id$…"]
    [8, "a password", "$argon2id$…"]   asks whether it fits    [8, true]

The answer null means that argon2 could not: the hash is not one of its own, or there is no memory.
"""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import Argon2Error, InvalidHashError, VerifyMismatchError

MEMORY_KIB: Final = 19 * 1024
PASSES: Final = 2
THREADS: Final = 2
NICENESS: Final = 10
"""Bets go first, and a password still gets a tenth of what a bet gets."""
SESSION_NICENESS: Final = Path("/proc/self/autogroup")
"""Linux shares processors between sessions first, and weighs niceness only within a session."""
_hasher: Final = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=1, type=Type.ID)


def hash_now(password: str) -> str:
    """Hashes a password in the calling thread."""
    return _hasher.hash(password)


def main() -> None:
    """Answers until standard input ends."""
    _be_nice()
    with ThreadPoolExecutor(THREADS) as threads:
        for line in sys.stdin.buffer:
            threads.submit(_answer, line)


def _answer(line: bytes) -> None:
    number, password, password_hash = json.loads(line)
    outcome: str | bool | None
    try:
        outcome = hash_now(password) if password_hash is None else _hasher.verify(password_hash, password)
    except VerifyMismatchError:
        outcome = False
    except (Argon2Error, InvalidHashError):
        outcome = None
    # A pipe takes a short line whole, so the threads' lines do not mix.
    os.write(sys.stdout.fileno(), json.dumps([number, outcome]).encode() + b"\n")


def _be_nice() -> None:
    os.nice(NICENESS)
    if os.getsid(0) == os.getpid():
        with suppress(OSError):  # a system without it, or one that allows no change at the moment
            SESSION_NICENESS.write_text(str(NICENESS))


if __name__ == "__main__":
    main()
