"""The pool of database connections.

Owns how a connection is opened: as the application role, in autocommit, with bounds on every wait. It must never be
held while a wallet is called.
"""

from typing import Any, Final

import psycopg
from psycopg_pool import PoolTimeout, TooManyRequests

from provider.settings import Settings
from shared_service.postgres import connections
from shared_service.postgres import sessions as postgres_session

APP_ROLE: Final = "provider_app"
POOL_WAIT_SECONDS: Final = 1.0
POOL_WAITING_MAX: Final = 200
STATEMENT_TIMEOUT_MS: Final = 3000
LOCK_TIMEOUT_MS: Final = 2000

Pool = connections.Pool

DATABASE_AWAY: Final = (psycopg.OperationalError, PoolTimeout, TooManyRequests)
"""What is raised when the database does not answer. A statement may or may not have been done."""


def create_pool(settings: Settings) -> Pool:
    """A pool that is not open yet. The defaults, a wait of 30 s and a queue without end, would outlive every caller."""
    return Pool(
        settings.database_url,
        silence_seconds=STATEMENT_TIMEOUT_MS / 1000 + connections.SILENCE_MARGIN_SECONDS,
        kwargs={
            "autocommit": True,
            **session(settings.database_url),
        },
        min_size=min(2, settings.pool_max),
        max_size=settings.pool_max,
        timeout=POOL_WAIT_SECONDS,
        max_waiting=POOL_WAITING_MAX,
        name="provider",
    )


def session(database_url: str) -> dict[str, Any]:
    """What the server sets when a connection opens, after what the URL itself asks for."""
    return postgres_session.arguments(
        database_url,
        role=APP_ROLE,
        application_name="provider",
        statement_timeout=STATEMENT_TIMEOUT_MS,
        lock_timeout=LOCK_TIMEOUT_MS,
        idle_in_transaction_session_timeout=STATEMENT_TIMEOUT_MS,
    )
