"""Paces the attempts to connect while they fail, and says why they fail, without the address.

Without it a pool tries several times a second for as long as the database is away. A server logs each of those
attempts, and one that counts wrong passwords may lock the login. The driver gives no code, only a text that quotes the
address; the server's messages may be in any language.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import psycopg
import structlog

log = structlog.get_logger()

WORDS: Final = (
    (("authentication failed",), "the login or its password is not known there"),
    (("no password supplied",), "the server asks for a password, and the address has none"),
    (("no pg_hba.conf entry",), "the server does not let this login in from here (pg_hba.conf)"),
    (("database ", "does not exist"), "no database has that name"),
    (("role ", "does not exist"), "no login has that name"),
    (("is not permitted to log in",), "that role may not log in"),
    (("permission denied for database",), "the login may not use that database"),
    (("permission denied to set role",), "the login may not become its role"),
    (("starting up",), "the server is starting"),
    (("shutting down",), "the server is stopping"),
    (("recovery",), "the server is in recovery and takes no connections"),
    (("too many",), "the server has no connection left"),
    (("connection slots",), "the server has no connection left"),
    (("certificate",), "TLS with the server failed: its certificate, or sslrootcert of the address"),
    (("SSL",), "TLS with the server failed: see sslmode of the address"),
    (("resolve",), "the host name cannot be resolved"),
    (("refused",), "no server listens there"),
    (("No such file",), "no server listens there"),
    (("unreachable",), "there is no route to that host"),
    (("No route",), "there is no route to that host"),
    (("closed the connection",), "the server closed the connection"),
    (("timeout",), "no server answers there"),
    (("couldn't get a connection",), "no server answers there"),
)
"""Words in the message of the driver or the server, and their meaning. The first match counts."""
FATAL: Final = "FATAL:"
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


def why_away(said: str) -> str | None:
    """Returns the meaning of the driver's message, or else the server's message in it, or None."""
    for words, why in WORDS:
        if all(word in said for word in words):
            return why
    _, is_told, own = said.rpartition(FATAL)
    return f"the server refused it: {' '.join(own.split())}" if is_told else None
