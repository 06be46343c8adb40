"""Keeps a process's keys up to date: revocations from the database, new keys from mounted files.

The watch has a database connection of its own: whoever holds a stolen key could otherwise keep it alive by flooding
the service. While the database is away, the last known state stays.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

import psycopg
import structlog

from shared_service.keys.live_keys import LiveKeys
from shared_service.postgres.database import Database, OutcomeUnknown, Overloaded
from shared_service.run.loops import BackgroundLoop

log = structlog.get_logger()

POLL_SECONDS: Final = 0.5
"""With the loop's jitter at most 0.6: a revocation is to be in force everywhere within two seconds."""
OWN_CLOCK_OFF_SECONDS: Final = 5.0


class KeyWatch:
    """The rings of the process, and the loop that keeps them up to date."""

    def __init__(
        self,
        keys: LiveKeys,
        database: Database,
        *,
        schema: str,
        clock: Callable[[], float] = time.time,
        on_change: Callable[[float], object] = lambda _: None,
    ) -> None:
        """`database` is for this watch alone, one connection is enough. `on_change` is called with the time after other
        keys came into force."""
        self.keys = keys
        self._database = database
        # One row at least, for the database's time; at most as many as keys can be configured, sixteen a direction.
        self._read_revocations = f"""
            select extract(epoch from {schema}.clock())::float8, revoked.direction, revoked.key_id
            from (select) as always left join {schema}.key_revocations as revoked on revoked.key_id = any(%s::text[])
        """  # noqa: S608 - the schema's name is a constant of the service
        self._clock = clock
        self._on_change = on_change
        self._loop = BackgroundLoop("keys", self.step, interval_seconds=POLL_SECONDS)
        self._readable = True
        self._clock_is_off = False
        self._live: Mapping[str, tuple[str, ...]] | None = None

    async def start(self) -> None:
        """Read the revocations before anything is served. If that fails, the rings stay shut until it succeeds."""
        await self._database.open()
        await self.step()
        self._loop.start()

    async def stop(self) -> None:
        """End the loop and its connection."""
        await self._loop.stop()
        await self._database.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Started, and stopped in the end."""
        await self.start()
        try:
            yield
        finally:
            await self.stop()

    async def step(self) -> None:
        """Read files and revocations once, and put them into force."""
        for refused in self.keys.reread_files():
            log.error("key_file_refused", direction=refused.direction, why=refused.why)
        try:
            rows = await self._database.call(self._read_revocations, (self.keys.ids(),))
        except (Overloaded, OutcomeUnknown, psycopg.Error) as error:
            if self._readable:
                log.warning("revocations_not_readable", error_type=type(error).__name__)
            self._readable = False
            return
        self._readable = True
        self.keys.apply([(direction, key_id) for _, direction, key_id in rows if direction is not None])
        now = self._clock()
        self._compare_clocks(now - rows[0][0])
        self._tell_of_changes(now)

    def _tell_of_changes(self, now: float) -> None:
        live = self.keys.live_ids(now)
        if live == self._live:
            return
        self._live = live
        self._on_change(now)
        report = log.info if all(live.values()) else log.error
        report("live_keys_changed", **{name: list(ids) for name, ids in live.items()})

    def _compare_clocks(self, ahead_seconds: float) -> None:
        """Say when this machine's clock leaves the database's: the one judges signatures, the other nonces."""
        is_off = abs(ahead_seconds) > OWN_CLOCK_OFF_SECONDS
        if is_off and not self._clock_is_off:
            log.error("own_clock_is_off", ahead_of_database_seconds=round(ahead_seconds))
        self._clock_is_off = is_off
