"""The newest head of each player's chain that a signed answer carried: what `casino check-ledger --heads` reads.

Owns that one question. It must never be asked by a serving process: it reads every transaction.
"""

from collections.abc import AsyncIterator
from typing import Any, Final

from provider.db import Pool

PAGE_ROWS: Final = 500
READING_MS: Final = 600_000

_HEADS: Final = """
    select distinct on (s.casino_code, s.user_id)
        s.user_id, s.casino_code, t.head_sequence, t.head_hash, t.transaction_id::text
    from provider.wallet_transactions as t
    join provider.game_sessions as s on s.provider_session_id = t.provider_session_id
    where t.head_sequence is not null
    order by s.casino_code, s.user_id, t.head_sequence desc, t.answered_at desc
"""


async def newest_heads(pool: Pool) -> AsyncIterator[dict[str, Any]]:
    """One line for each player, read in pages."""
    async with pool.connection() as connection, connection.transaction():
        await connection.execute(f"set local statement_timeout = {READING_MS}")
        async with connection.cursor(name="newest_heads") as cursor:
            cursor.itersize = PAGE_ROWS
            await cursor.execute(_HEADS)
            async for user_id, casino_code, sequence, head_hash, transaction_id in cursor:
                yield {
                    "userId": user_id,
                    "casinoCode": casino_code,
                    "sequence": sequence,
                    "hash": head_hash,
                    "transactionId": transaction_id,
                }
