"""Says at the start whether every token that is still needed can be opened.

Owns one look at the sessions with open wallet calls. It must never stop the start: what can be opened is worked on.
"""

from typing import Final

import psycopg
import structlog

from provider.db import DATABASE_AWAY, Pool
from provider.sessions.sealing import SealBroken, Sealer

log = structlog.get_logger(__name__)

SESSIONS_MAX: Final = 1000
_NEEDED: Final = f"""
    select s.token_sealed from provider.game_sessions as s
    where exists (
        select from provider.wallet_transactions as t
        where t.provider_session_id = s.provider_session_id and t.state = 'pending'
    )
    limit {SESSIONS_MAX}
"""  # noqa: S608 -- a constant, no input


async def alarm_of_broken_seals(pool: Pool, sealer: Sealer) -> None:
    """Log an error when a secret is gone that payouts or rollbacks still need; their rows stay due until it is back."""
    try:
        async with pool.connection() as connection:
            needed = await (await connection.execute(_NEEDED)).fetchall()
    except (*DATABASE_AWAY, psycopg.Error):
        return  # not there, or not migrated yet; each delivery says so too
    broken = sum(not _opens(sealer, sealed) for (sealed,) in needed)
    if broken:
        log.error("token_seals_broken", sessions=broken, looked_at=len(needed))


def _opens(sealer: Sealer, sealed: bytes) -> bool:
    try:
        sealer.open(sealed)
    except SealBroken:
        return False
    return True
