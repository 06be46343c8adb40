"""Paces the attempts to connect while they fail, and logs why.

Without it a pool tries several times a second for as long as the database is away. A server logs each of those
attempts, and one that counts wrong passwords may lock the login.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import psycopg
import structlog

log = structlog.get_logger()

PAUSE_MIN_SECONDS: Final = 0.5
PAUSE_MAX_SECONDS: Final = 5.0
PAUSE_SHARE: Final = 0.1
"""The pause in relation to the outage so far: a short outage is noticed to be over soon."""


class NotTried(psycopg.OperationalError):
    """An attempt failed a moment ago, so none is made now."""


class Outage:
    """The failed attempts of one pool since its last success."""

    def __init__(self, variable: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`variable` holds the database's address, for the log."""
        self._variable = variable
        self._monotonic = monotonic
        self._began: float | None = None
        self._next_attempt = 0.0
        self._told: str | None = None

    def begin_attempt(self) -> None:
        """Call it before each attempt. Raises NotTried during the pause."""
        if self._began is None:
            return
        now = self._monotonic()
        if now < self._next_attempt:
            raise NotTried("paused after a failed attempt")
        self._pause(now)

    def failed(self, why: str) -> None:
        """An attempt failed. Logs the first failure of an outage, and each one with another cause than the last."""
        if self._began is None:
            self._began = self._monotonic()
            self._pause(self._began)
        if why != self._told:
            log.warning("database_not_connected", variable=self._variable, why=why)
            self._told = why

    def ended(self) -> None:
        """An attempt succeeded: further ones need no pause."""
        self._began = self._told = None

    def _pause(self, now: float) -> None:
        began = now if self._began is None else self._began
        self._next_attempt = now + min(PAUSE_MAX_SECONDS, max(PAUSE_MIN_SECONDS, PAUSE_SHARE * (now - began)))
