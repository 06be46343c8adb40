"""Keeps the process's keys up to date: revocations from the database, new keys from mounted files.

Owns the one loop that changes the rings. It must never wait behind the requests for a connection: whoever holds a
stolen key could keep it alive by flooding the service. When the database is away, the last known state stays.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final

import psycopg
import structlog

from casino.db import Database, OutcomeUnknown, Overloaded
from casino.settings import Settings, other_secrets
from shared_service.run.loops import BackgroundLoop
from shared_signing.live_keys import LiveKeys

log = structlog.get_logger()

POLL_SECONDS: Final = 0.5
"""With the loop's jitter at most 0.6: a revocation is to be in force everywhere within two seconds."""
OWN_CLOCK_OFF_SECONDS: Final = 5.0
# One row at least, for the database's time; at most as many as keys can be configured, sixteen for each direction.
READ_REVOCATIONS: Final = """
    select extract(epoch from casino.clock())::float8, revoked.direction, revoked.key_id
    from (select) as always left join casino.key_revocations as revoked on revoked.key_id = any(%s::text[])
"""


class KeyWatch:
    """Both rings of the process, and what keeps them up to date."""

    def __init__(self, settings: Settings) -> None:
        self.keys = LiveKeys(
            casino=settings.casino_keys,
            provider=settings.provider_keys,
            casino_file=settings.casino_keys_file,
            provider_file=settings.provider_keys_file,
            others=other_secrets(settings),
            strict=not settings.demo,
        )
        self._database = Database(replace(settings, pool_size_max=1))
        self._loop = BackgroundLoop("keys", self._step, interval_seconds=POLL_SECONDS)
        self._readable = True
        self._live: object = None
        self._clock_is_off = False

    async def start(self) -> None:
        """Read the revocations before anything is served. If that fails, the rings stay shut until it succeeds."""
        await self._database.open()
        await self._step()
        self._loop.start()

    async def stop(self) -> None:
        """End the loop and its connection."""
        await self._loop.stop()
        await self._database.close()

    async def _step(self) -> None:
        for refused in self.keys.reread_files():
            log.error("key_file_refused", direction=refused.direction, why=refused.why)
        try:
            rows = await self._database.call(READ_REVOCATIONS, (self.keys.ids(),))
        except (Overloaded, OutcomeUnknown, psycopg.Error) as error:
            if self._readable:
                log.warning("revocations_not_readable", error_type=type(error).__name__)
            self._readable = False
            return
        self._readable = True
        self.keys.apply([(direction, key_id) for _, direction, key_id in rows if direction is not None])
        now = time.time()
        self._compare_clocks(now - rows[0][0])
        live = self.keys.live_ids(now)
        if live != self._live:
            self._live = live
            report = log.info if all(live.values()) else log.error
            report("live_keys_changed", **{name: list(ids) for name, ids in live.items()})

    def _compare_clocks(self, ahead_seconds: float) -> None:
        """Say when this machine's clock leaves the database's: the one judges signatures, the other nonces."""
        is_off = abs(ahead_seconds) > OWN_CLOCK_OFF_SECONDS
        if is_off and not self._clock_is_off:
            log.error("own_clock_is_off", ahead_of_database_seconds=round(ahead_seconds))
        self._clock_is_off = is_off
