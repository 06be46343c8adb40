"""Hashes and verifies passwords with argon2id, in two threads of their own with a bounded queue: money never waits."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import VerifyMismatchError

from casino.api.errors import Refused

T = TypeVar("T")

MEMORY_KIB: Final = 19 * 1024
PASSES: Final = 2
THREADS: Final = 2
WORK_MAX: Final = 32
"""Passwords that may be at work or wait, in one process. Above it a request is refused with 503."""
NICENESS: Final = 10
"""The threads leave the processor to bets."""
NOBODYS_HASH: Final = (
    "$argon2id$v=19$m=19456,t=2,p=1$j6NBaximm5BHJi+f7iru7A$XoAPUs6Bs2/u/myEguJvOGyj/jxEyp8hlwmwC3nxuys"
)
"""Of no password. It is verified for a name that nobody has, so that the time shows no difference."""
_hasher: Final = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=1, type=Type.ID)


def hash_now(password: str) -> str:
    """Hashes a password in the calling thread, for a command."""
    return _hasher.hash(password)


class Passwords:
    """The threads and the queue of one process."""

    def __init__(self, *, work_max: int = WORK_MAX) -> None:
        """`work_max` bounds what is at work and what waits."""
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2", initializer=_be_nice)
        self._free = threading.BoundedSemaphore(work_max)

    async def hash(self, password: str) -> str:
        """Hashes a password. Raises Refused(OVERLOADED) when the queue is full."""
        return await self._run(lambda: _hasher.hash(password))

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Returns whether the password has this hash; takes as long without one. Raises Refused(OVERLOADED)."""
        fits = await self._run(lambda: _verify(password_hash or NOBODYS_HASH, password))
        return fits and password_hash is not None

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[], T]) -> T:
        if not self._free.acquire(blocking=False):
            raise Refused("OVERLOADED")
        future: Future[T] = self._threads.submit(work)
        # When the caller has gone, the work may still wait: it is free again when it is done or cancelled.
        future.add_done_callback(lambda _: self._free.release())
        return await asyncio.wrap_future(future)


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except VerifyMismatchError:
        return False


def _be_nice() -> None:
    if sys.platform == "linux":  # elsewhere a thread has no niceness of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
