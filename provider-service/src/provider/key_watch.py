"""Keeps the process's keys up to date: revocations from the database, new keys from mounted files.

Owns the one loop that changes the rings and what the sealer knows. It must never wait behind the requests for a
connection: whoever holds a stolen key could keep it alive by flooding the service. When the database is away, the last
known state stays.
"""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

import psycopg
import structlog
from psycopg_pool import PoolTimeout, TooManyRequests

from provider.db import create_pool
from provider.sessions.sealing import Sealer, sealing_order
from provider.settings import Settings, named_sealing_key
from shared_service.run.loops import BackgroundLoop
from shared_signing.live_keys import CASINO, LiveKeys

log = structlog.get_logger(__name__)

POLL_SECONDS: Final = 0.5
"""With the loop's jitter at most 0.6: a revocation is to be in force everywhere within two seconds."""
OWN_CLOCK_OFF_SECONDS: Final = 5.0
# One row at least, for the database's time; at most as many as keys can be configured, sixteen for each direction.
_READ_REVOCATIONS: Final = """
    select extract(epoch from provider.clock())::float8, revoked.direction, revoked.key_id
    from (select) as always left join provider.key_revocations as revoked on revoked.key_id = any(%s::text[])
"""


class KeyWatch:
    """Both rings of the process, and what keeps them up to date."""

    def __init__(self, settings: Settings, sealer: Sealer, *, clock: Callable[[], float] = time.time) -> None:
        self.keys = LiveKeys(
            casino=settings.casino_keys,
            provider=settings.provider_keys,
            casino_file=settings.casino_keys_file,
            provider_file=settings.provider_keys_file,
            others=named_sealing_key(settings.sealing_key),
            strict=not settings.demo,
        )
        self._sealer = sealer
        self._sealing_key = settings.sealing_key
        self._sealed_for = [key.key_id for key in settings.casino_keys if key.is_live(clock())]
        self._clock = clock
        self._pool = create_pool(replace(settings, pool_max=1))
        self._loop = BackgroundLoop("keys", self._poll, interval_seconds=POLL_SECONDS)
        self._readable = True
        self._clock_is_off = False
        self._live: Mapping[str, tuple[str, ...]] | None = None

    async def start(self) -> None:
        """Read the revocations before anything is served. If that fails, the rings stay shut until it succeeds."""
        await self._pool.open(wait=False)
        await self.read()
        self._loop.start()

    async def stop(self) -> None:
        """End the loop and its connection."""
        await self._loop.stop()
        await self._pool.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Started, and stopped in the end: for a command that calls wallets without a server."""
        await self.start()
        try:
            yield
        finally:
            await self.stop()

    async def read(self) -> None:
        """Read files and revocations once, and put them into force."""
        for refused in self.keys.reread_files():
            log.error("key_file_refused", direction=refused.direction, why=refused.why)
        try:
            async with self._pool.connection() as connection:
                rows = await (await connection.execute(_READ_REVOCATIONS, (self.keys.ids(),))).fetchall()
        except (psycopg.Error, PoolTimeout, TooManyRequests) as error:
            if self._readable:
                log.warning("revocations_not_readable", error=type(error).__name__)
            self._readable = False
            return
        self._readable = True
        self.keys.apply([(direction, key_id) for _, direction, key_id in rows if direction is not None])
        self._compare_clocks(self._clock() - rows[0][0])
        self._note_changes()

    async def _poll(self) -> bool:
        await self.read()
        return False

    def _note_changes(self) -> None:
        now = self._clock()
        live = self.keys.live_ids(now)
        if live == self._live:
            return
        self._live = live
        if list(live[CASINO]) != self._sealed_for:
            self._sealed_for = list(live[CASINO])
            self._sealer.learn(sealing_order(self.keys.casino.keys, self._sealing_key, now=now))
        report = log.info if all(live.values()) else log.error
        report("live_keys_changed", **{name: list(ids) for name, ids in live.items()})

    def _compare_clocks(self, ahead_seconds: float) -> None:
        """Say when this machine's clock leaves the database's: the one judges signatures, the other nonces."""
        is_off = abs(ahead_seconds) > OWN_CLOCK_OFF_SECONDS
        if is_off and not self._clock_is_off:
            log.error("own_clock_is_off", ahead_of_database_seconds=round(ahead_seconds))
        self._clock_is_off = is_off
