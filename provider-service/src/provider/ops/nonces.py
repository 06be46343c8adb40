"""Stores used nonces in `provider.nonces`, so that all processes share them and restarts keep them."""

from typing import Final

from shared_service.postgres.database import DATABASE_DOWN, Database
from shared_signing.nonces import NonceStoreOverloaded
from shared_signing.signer import CORRECTION_MAX_SECONDS

PRUNE_PAGE: Final = 1000
ROWS_OF_A_NONCE: Final = 2
CLOCK_OFF_MAX_SECONDS: Final = CORRECTION_MAX_SECONDS + 60
"""How far a signed timestamp may be from the database's clock. The bound does not depend on this process's clock, so
no nonce is accepted again after it was deleted, even when that clock steps back. Callers correct their clocks by at
most `CORRECTION_MAX_SECONDS`."""
MARGIN_SECONDS: Final = 120

# A nonce counts as used under every key: the row with the empty key id records it. Earlier releases read and write
# only the row with the key id, and may run beside this one. Fixed row order, so that two claims cannot deadlock.
_CLAIM: Final = """
    insert into provider.nonces (key_id, nonce, seen_at)
    select claimed.key_id, %(nonce)s, now.at
    from (select provider.clock() as at) as now, unnest(array['', %(key_id)s]) as claimed (key_id)
    where %(timestamp)s between extract(epoch from now.at) - %(off_max)s and extract(epoch from now.at) + %(off_max)s
    on conflict (key_id, nonce) do nothing
"""
# A nonce signed ahead of the database's clock could be replayed for the sum of both bounds.
KEEP_SECONDS: Final = 2 * CLOCK_OFF_MAX_SECONDS + MARGIN_SECONDS
# Deletes a page at a time, to hold few locks. Ordered by seen_at, which no caller can choose.
_PRUNE: Final = f"""
    delete from provider.nonces as n
    using (
        select key_id, nonce from provider.nonces
        where seen_at < (select provider.clock()) - interval '{KEEP_SECONDS} seconds'
        order by seen_at
        limit {PRUNE_PAGE}
        for update skip locked
    ) as old
    where n.key_id = old.key_id and n.nonce = old.nonce
"""  # noqa: S608 -- constants, no input


class PostgresNonceStore:
    """A `NonceStore` in the provider's own schema."""

    def __init__(self, pool: Database) -> None:
        self._pool = pool

    async def claim(self, key_id: str, nonce: str, timestamp: int) -> bool:
        """True when the nonce is new. Raises `NonceStoreOverloaded` when the database does not answer."""
        claim = {"key_id": key_id, "nonce": nonce, "timestamp": timestamp, "off_max": CLOCK_OFF_MAX_SECONDS}
        try:
            async with self._pool.connection() as connection:
                return (await connection.execute(_CLAIM, claim)).rowcount == ROWS_OF_A_NONCE
        except DATABASE_DOWN as error:
            raise NonceStoreOverloaded(type(error).__name__) from error

    async def prune(self) -> bool:
        """Delete a page of nonces whose signatures have expired; true when there may be more."""
        async with self._pool.connection() as connection:
            return (await connection.execute(_PRUNE)).rowcount == PRUNE_PAGE
