"""The pool of database connections.

Owns how a connection is opened: as the application role, in autocommit, with bounds on every wait. It must never be
held while a wallet is called.
"""

from typing import Any, Final

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from provider.settings import Settings

POOL_WAIT_SECONDS: Final = 1.0
POOL_WAITING_MAX: Final = 200
STATEMENT_TIMEOUT_MS: Final = 3000
LOCK_TIMEOUT_MS: Final = 2000
CONNECT_TIMEOUT_SECONDS: Final = 2
RECONNECT_SECONDS: Final = 3.0

Pool = AsyncConnectionPool[AsyncConnection[Any]]

DATABASE_AWAY: Final = (psycopg.OperationalError, PoolTimeout, TooManyRequests)
"""What is raised when the database does not answer. A statement may or may not have been done."""


def create_pool(settings: Settings) -> Pool:
    """A pool that is not open yet. The defaults, a wait of 30 s and a queue without end, would outlive every caller."""
    return AsyncConnectionPool(
        settings.database_url,
        kwargs={
            "autocommit": True,
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "application_name": "provider",
            "options": connection_options(settings.database_url),
        },
        min_size=2,
        max_size=settings.pool_max,
        timeout=POOL_WAIT_SECONDS,
        max_waiting=POOL_WAITING_MAX,
        # The pool doubles its pause between attempts up to this long: with the default, five minutes, a database that
        # is back after a minute's outage would be noticed after another minute.
        reconnect_timeout=RECONNECT_SECONDS,
        open=False,
        name="provider",
    )


def connection_options(database_url: str) -> str:
    """What the server sets when the connection opens, after what the URL itself asks for."""
    own = (
        "-c role=provider_app -c search_path=provider,pg_catalog"
        f" -c statement_timeout={STATEMENT_TIMEOUT_MS} -c lock_timeout={LOCK_TIMEOUT_MS}"
        f" -c idle_in_transaction_session_timeout={STATEMENT_TIMEOUT_MS}"
    )
    asked = conninfo_to_dict(database_url).get("options")
    return f"{asked} {own}" if asked else own
