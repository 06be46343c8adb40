"""Says why a connection to Postgres failed, without the address.

The driver gives no code, only a text that quotes the address. The server's messages may be in any language.
"""

from __future__ import annotations

from typing import Final

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


def why_away(said: str) -> str | None:
    """Returns the meaning of the driver's message, or else the server's message in it, or None."""
    for words, why in WORDS:
        if all(word in said for word in words):
            return why
    _, is_told, own = said.rpartition(FATAL)
    return f"the server refused it: {' '.join(own.split())}" if is_told else None
