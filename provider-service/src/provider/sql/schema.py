"""The provider's schema, and its pools of connections."""

from pathlib import Path
from typing import Final

from provider.settings import Settings
from shared_service.postgres.database import Database
from shared_service.postgres.schema import Schema

SCHEMA: Final = Schema("provider", Path(__file__).parent)
POOL_WAIT_SECONDS: Final = 1.0
STATEMENT_TIMEOUT_MS: Final = 3000
LOCK_TIMEOUT_MS: Final = 2000


def database_for(settings: Settings, *, size_max: int | None = None) -> Database:
    """A pool that is not open yet, of at most `size_max` connections. It must not be held while a wallet is called."""
    return Database(
        settings.database_url,
        schema=SCHEMA,
        application_name="provider",
        size_max=size_max or settings.pool_max,
        wait_seconds=POOL_WAIT_SECONDS,
        statement_timeout_ms=STATEMENT_TIMEOUT_MS,
        lock_timeout_ms=LOCK_TIMEOUT_MS,
    )
