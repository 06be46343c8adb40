"""The nonce store in Postgres, shared by all processes. Claims that arrive together are committed together."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

import psycopg
import structlog

from shared_service.postgres.database import Database, OutcomeUnknown, Overloaded
from shared_service.postgres.group_commit import GroupCommit, KeyBusy
from shared_signing.nonces import NonceStoreOverloaded

log = structlog.get_logger()

# As joined text, because the driver writes arrays slowly. No nonce contains a comma.
TAKE_NONCES = """
    select unnest(casino.take_nonces(
        string_to_array(%s::text, ','),
        string_to_array(%s::text, ',')::bigint[],
        string_to_array(%s::text, ',')::bigint[]
    ))
"""
EMPTY_OLD_PARTITION = "select casino.empty_old_nonce_drawer()"
CLAIM_ID_BITS: Final = 63

_draw: Final = random.Random(secrets.token_bytes(32)).getrandbits  # noqa: S311 - unique, not secret


class _Claim(NamedTuple):
    nonce: str
    timestamp: int
    claim_id: int


def new_claim_id() -> int:
    """Returns a random id: a claim that is made twice with it, because the first answer was lost, is one claim."""
    return _draw(CLAIM_ID_BITS)


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
        claim = _Claim(nonce, timestamp, new_claim_id())
        deadline = time.monotonic() + self._budget_seconds
        try:
            return await self._claims.submit(claim, key=nonce, deadline=deadline)
        except KeyBusy:
            return False  # several copies of one request at the same moment: one of them claims the nonce
        except (Overloaded, OutcomeUnknown, psycopg.Error) as error:
            log.warning("nonce_not_claimed", error_type=type(error).__name__)
            raise NonceStoreOverloaded from error  # nothing was done: answered with 503

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
        columns = [",".join(map(str, column)) for column in zip(*claims, strict=True)]
        taken = {row[0] for row in await self._database.call(TAKE_NONCES, columns)}
        return [claim.claim_id in taken for claim in claims]
