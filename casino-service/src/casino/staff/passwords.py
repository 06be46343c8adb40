"""Hashes and verifies passwords in a process of its own, with a bounded queue: money never waits for a password."""

from __future__ import annotations

import asyncio
import json
import math
import os
import sys
from asyncio.subprocess import PIPE, Process
from itertools import count
from typing import Final

from casino.api.errors import Refused

WORK_MAX: Final = 32
"""Passwords that may be at work or wait, in one process. Above it a request is refused with 503."""
ANSWER_SECONDS: Final = 10.0
"""How long a request waits for its password. A process that answered nothing for so long hangs, and is ended."""
RESTART_SECONDS: Final = 1.0
"""How long no process is started after one that ended without an answer."""
NOBODYS_HASH: Final = (
    "$argon2id$v=19$m=19456,t=2,p=1$j6NBaximm5BHJi+f7iru7A$XoAPUs6Bs2/u/myEguJvOGyj/jxEyp8hlwmwC3nxuys"
)
"""Of no password. It is verified for a name that nobody has, so that the time shows no difference."""
COMMAND: Final = (sys.executable, "-P", "-m", "casino.staff.hashing")
ENVIRONMENT: Final = ("PATH", "PYTHONPATH")
"""All that the process knows of the service's environment, which has secrets."""


class Passwords:
    """The process that hashes for this one. It starts with the first password, and again after it died or hung."""

    def __init__(self, *, work_max: int = WORK_MAX, answer_seconds: float = ANSWER_SECONDS) -> None:
        """`work_max` bounds what is at work and what waits, `answer_seconds` how long."""
        self._work_max = work_max
        self._answer_seconds = answer_seconds
        self._answered_at = self._starts_from = -math.inf
        self._numbers = count()
        self._asked: dict[int, asyncio.Future[str | bool | None]] = {}
        self._started: asyncio.Task[Process] | None = None
        self._reader: asyncio.Task[None] | None = None

    async def hash(self, password: str) -> str:
        """Hashes a password. Raises Refused(OVERLOADED) when the queue is full, or the process died or hangs."""
        return str(await self._ask(password, None))

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Returns whether the password has this hash; takes as long without one. Raises Refused(OVERLOADED)."""
        fits = await self._ask(password, password_hash or NOBODYS_HASH)
        return bool(fits) and password_hash is not None

    async def close(self) -> None:
        """Ends the process."""
        if self._started is not None:
            process = await self._started
            if process.returncode is None:
                process.kill()
        if self._reader is not None:
            await self._reader

    async def _ask(self, password: str, password_hash: str | None) -> str | bool:
        loop = asyncio.get_running_loop()
        if self._started is None:
            if loop.time() < self._starts_from:
                raise Refused("OVERLOADED")
            self._started = asyncio.create_task(self._start())
        started = self._started
        process = await asyncio.shield(started)
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        has_ended = self._started is not started or process.stdin.is_closing()
        if has_ended or len(self._asked) >= self._work_max:
            raise Refused("OVERLOADED")
        number = next(self._numbers)
        # When the caller has gone, the question still counts until it is answered.
        future = self._asked[number] = loop.create_future()
        process.stdin.write(json.dumps([number, password, password_hash]).encode() + b"\n")
        try:
            async with asyncio.timeout(self._answer_seconds):
                outcome: str | bool | None = await future
        except TimeoutError:
            if loop.time() - self._answered_at >= self._answer_seconds and process.returncode is None:
                process.kill()
            raise Refused("OVERLOADED") from None
        if outcome is None:
            raise RuntimeError("argon2 failed")
        return outcome

    async def _start(self) -> Process:
        environment = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
        try:
            # Of a session of its own, so that its time is not taken from the bets' session.
            process = await asyncio.create_subprocess_exec(
                *COMMAND, stdin=PIPE, stdout=PIPE, env=environment, start_new_session=True
            )
        except OSError as error:
            self._started = None
            raise Refused("OVERLOADED") from error
        self._answered_at = asyncio.get_running_loop().time()
        self._reader = asyncio.create_task(self._read(process))
        return process

    async def _read(self, process: Process) -> None:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        loop, has_answered = asyncio.get_running_loop(), False
        while line := await process.stdout.readline():
            self._answered_at, has_answered = loop.time(), True
            number, outcome = json.loads(line)
            answered = self._asked.pop(number)
            if not answered.done():
                answered.set_result(outcome)
        self._started = None
        if not has_answered:
            self._starts_from = loop.time() + RESTART_SECONDS
        unanswered, self._asked = self._asked, {}
        for future in unanswered.values():
            if not future.done():
                future.set_exception(Refused("OVERLOADED"))
        await process.wait()
