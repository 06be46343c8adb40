"""The nonce store in Postgres, shared by all processes. Claims that arrive together are committed together."""

from __future__ import annotations

import time
from collections.abc import Sequence

import psycopg
import structlog

from shared_service.postgres.database import Database, OutcomeUnknown, Overloaded
from shared_service.postgres.group_commit import GroupCommit, KeyBusy
from shared_signing.nonces import NonceStoreOverloaded

log = structlog.get_logger()

# As joined text, because the driver writes arrays slowly. No nonce contains a comma.
CLAIM_NONCES = """
    select casino.claim_nonces(string_to_array(%s::text, ','), string_to_array(%s::text, ',')::bigint[])
"""
EMPTY_OLD_PARTITION = "select casino.empty_old_nonce_drawer()"


class _Claim:
    """The claim of one request. `in_doubt`: an attempt had an unknown outcome."""

    __slots__ = ("in_doubt", "nonce", "timestamp")

    def __init__(self, nonce: str, timestamp: int) -> None:
        self.nonce = nonce
        self.timestamp = timestamp
        self.in_doubt = False


class DatabaseNonceStore:
    """A NonceStore in Postgres."""

    def __init__(
        self, database: Database, *, batch_max: int, lanes: int, queue_max: int, budget_seconds: float
    ) -> None:
        self._database = database
        self._budget_seconds = budget_seconds
        self._claims: GroupCommit[_Claim, bool] = GroupCommit(
            self._claim_batch, batch_max=batch_max, lanes=lanes, queue_max=queue_max, key_queue_max=2
        )

    async def claim(self, key_id: str, nonce: str, timestamp: int) -> bool:  # noqa: ARG002 - a nonce is never used again, under whichever key
        """See NonceStore.claim."""
        claim = _Claim(nonce, timestamp)
        deadline = time.monotonic() + self._budget_seconds
        try:
            fresh = await self._claims.submit(claim, key=nonce, deadline=deadline)
        except KeyBusy:
            return False  # several copies of one request at the same moment: one of them claims the nonce
        except (Overloaded, OutcomeUnknown, psycopg.Error) as error:
            log.warning("nonce_not_claimed", error_type=type(error).__name__)
            raise NonceStoreOverloaded from error  # nothing was done: answered with 503
        if claim.in_doubt and not fresh:
            raise NonceStoreOverloaded  # perhaps this request claimed it, before the connection broke
        return fresh

    @property
    def size(self) -> int:
        """Claims that wait or are in flight."""
        return self._claims.size

    async def empty_old_partition(self) -> int | None:
        """Truncate the partition whose nonces are all too old to be replayed. Returns its number, or None."""
        rows = await self._database.call(EMPTY_OLD_PARTITION)
        return None if rows[0][0] is None else int(rows[0][0])

    async def close(self) -> None:
        """Finish the waiting claims."""
        await self._claims.close()

    async def _claim_batch(self, claims: Sequence[_Claim]) -> list[bool | None]:
        nonces = [claim.nonce for claim in claims]
        timestamps = [str(claim.timestamp) for claim in claims]
        try:
            rows = await self._database.call(CLAIM_NONCES, (",".join(nonces), ",".join(timestamps)))
        except OutcomeUnknown:
            for claim in claims:
                claim.in_doubt = True
            raise
        fresh = {row[0] for row in rows}
        return [nonce in fresh for nonce in nonces]
