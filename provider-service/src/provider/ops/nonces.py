"""Stores used nonces in `provider.nonces`, so that all processes share them and restarts keep them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared_service.postgres.database import DATABASE_DOWN, Database, OutcomeUnknown
from shared_service.postgres.group_commit import GroupCommit, KeyBusy
from shared_signing.nonces import NonceStoreOverloaded
from shared_signing.signer import CORRECTION_MAX_SECONDS

PRUNE_PAGE: Final = 1000
ROWS_OF_A_NONCE: Final = 2
BATCH_MAX: Final = 64
LANES: Final = 2
CLAIMS_MAX: Final = 1024
COPIES_MAX: Final = 2
"""Copies of one request that may wait at once. Others are replays without a look."""
CLAIM_SECONDS: Final = 3.0
"""How long a claim may wait and be tried again. Equals the time-out of a statement."""
CLOCK_OFF_MAX_SECONDS: Final = CORRECTION_MAX_SECONDS + 60
"""How far a signed timestamp may be from the database's clock. The bound does not depend on this process's clock, so
no nonce is accepted again after it was deleted, even when that clock steps back. Callers correct their clocks by at
most `CORRECTION_MAX_SECONDS`."""
MARGIN_SECONDS: Final = 120

# A nonce counts as used under every key: the row with the empty key id records it. Earlier releases read and write
# only the row with the key id, and may run beside this one. Fixed row order, so that two claims cannot deadlock.
# As joined text, because the driver writes arrays slowly: neither key ids nor nonces contain a comma.
_CLAIM: Final = f"""
    with claimed as (
        insert into provider.nonces (key_id, nonce, seen_at)
        select written.key_id, asked.nonce, now.at
        from (select provider.clock() as at) as now
        cross join unnest(
            string_to_array(%s::text, ','), string_to_array(%s::text, ','), string_to_array(%s::text, ',')::bigint[]
        ) as asked (key_id, nonce, signed_at)
        cross join unnest(array['', asked.key_id]) as written (key_id)
        where abs(extract(epoch from now.at) - asked.signed_at) <= {CLOCK_OFF_MAX_SECONDS}
        order by asked.nonce, written.key_id
        on conflict (key_id, nonce) do nothing
        returning nonce
    )
    select nonce from claimed group by nonce having count(*) = {ROWS_OF_A_NONCE}
"""  # noqa: S608 -- constants, no input
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


@dataclass(slots=True)
class _Claim:
    """`in_doubt`: an attempt had an unknown outcome."""

    key_id: str
    nonce: str
    timestamp: int
    in_doubt: bool = False


class PostgresNonceStore:
    """A `NonceStore` in the provider's own schema. Claims that arrive together are committed together."""

    def __init__(self, pool: Database) -> None:
        self._pool = pool
        self._claims: GroupCommit[_Claim, bool] = GroupCommit(
            self._claim_batch, batch_max=BATCH_MAX, lanes=LANES, queue_max=CLAIMS_MAX, key_queue_max=COPIES_MAX
        )

    async def claim(self, key_id: str, nonce: str, timestamp: int) -> bool:
        """True when the nonce is new. Raises `NonceStoreOverloaded` when the database does not answer."""
        claim = _Claim(key_id, nonce, timestamp)
        try:
            fresh = await self._claims.submit(claim, key=nonce, deadline=time.monotonic() + CLAIM_SECONDS)
        except KeyBusy:
            return False  # several copies of one request at the same moment: one of them claims the nonce
        except DATABASE_DOWN as error:
            raise NonceStoreOverloaded(type(error).__name__) from error
        if claim.in_doubt and not fresh:
            raise NonceStoreOverloaded("perhaps this request claimed it")
        return fresh

    async def close(self) -> None:
        """Finish the waiting claims."""
        await self._claims.close()

    async def _claim_batch(self, claims: Sequence[_Claim]) -> list[bool | None]:
        columns = zip(*((claim.key_id, claim.nonce, str(claim.timestamp)) for claim in claims), strict=True)
        try:
            rows = await self._pool.call(_CLAIM, [",".join(column) for column in columns])
        except OutcomeUnknown:
            for claim in claims:
                claim.in_doubt = True
            raise
        fresh = {row[0] for row in rows}
        return [claim.nonce in fresh for claim in claims]

    async def prune(self) -> bool:
        """Delete a page of nonces whose signatures have expired; true when there may be more."""
        async with self._pool.connection() as connection:
            return (await connection.execute(_PRUNE)).rowcount == PRUNE_PAGE
