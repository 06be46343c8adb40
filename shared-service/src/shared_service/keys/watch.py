"""Keeps a process's keys up to date: revocations from the database, new keys from mounted files.

The watch has its own database connection. Otherwise a flood of requests could delay the revocation of a stolen key.
While the database is unavailable, the last known state stays in force.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import psycopg
import structlog

from shared_service.keys.live_keys import FileRefused, LiveKeys
from shared_service.keys.peers import Peer
from shared_service.postgres.database import Database, OutcomeUnknown, Overloaded
from shared_service.run.loops import BackgroundLoop

log = structlog.get_logger()

POLL_SECONDS: Final = 0.5
"""At most 0.6 s with the loop's jitter. A revocation is in force everywhere within two seconds."""
OWN_CLOCK_OFF_SECONDS: Final = 5.0
DATABASE_ERRORS: Final = (Overloaded, OutcomeUnknown, psycopg.Error)

ShowRefused = Callable[[Mapping[str, bool]], object]
"""Is told at every look whether the present content of each file is refused."""
LookAtPeers = Callable[[Sequence[Peer[Any]]], Awaitable[str | None]]
"""Returns why the service refuses the peers of a file, or None. A database error means: ask again."""


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
        look_at_peers: LookAtPeers | None = None,
        show_refused: ShowRefused = lambda _: None,
    ) -> None:
        """`database` is only for this watch; one connection is enough. `on_change(now)` is called after the live keys
        or a secret changed, with the time in unix seconds. `look_at_peers` is asked before a changed file of peers is
        used."""
        self.keys = keys
        self._database = database
        # At least one row, for the database's time, and at most one for each configured key.
        self._read_revocations = f"""
            select extract(epoch from {schema}.clock())::float8, revoked.direction, revoked.key_id
            from (select) as always left join {schema}.key_revocations as revoked on revoked.key_id = any(%s::text[])
        """  # noqa: S608 - the schema's name is a constant of the service
        self._clock = clock
        self._on_change = on_change
        self._look_at_peers = look_at_peers
        self._show_refused = show_refused
        self._refused: Mapping[str, bool] = {}
        self._loop = BackgroundLoop("keys", self.step, interval_seconds=POLL_SECONDS)
        self._readable = True
        self._peers_wait = False
        self._clock_is_off = False
        self._live: Mapping[str, tuple[str, ...]] | None = None
        self._secrets: Mapping[str, Mapping[str, bytes]] = {}
        self._peers: Mapping[str, Peer[Any]] = {}
        self._keyless: Mapping[str, list[str]] = {}

    async def start(self) -> None:
        """Read the revocations before anything is served. Until that succeeds, the rings verify nothing."""
        await self._database.open()
        await self.step()
        self._loop.start()

    async def stop(self) -> None:
        """Stop the loop and close the connection."""
        await self._loop.stop()
        await self._database.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start it, and stop it at the end of the block."""
        await self.start()
        try:
            yield
        finally:
            await self.stop()

    async def step(self) -> None:
        """Read files and revocations once, and put them into force. A file of peers that waits delays no revocation."""
        self._tell_of_files(self.keys.reread_files(self._clock()))
        is_first = self._live is None  # then nobody is believed before everybody is known
        if not is_first:
            await self._put_into_force()
        is_offered = self.keys.offered is not None
        if await self._take_peers() and (is_first or is_offered):
            await self._put_into_force()
        self._tell_of_good_files()

    async def _put_into_force(self) -> None:
        try:
            rows = await self._database.call(self._read_revocations, (self.keys.ids(),))
        except DATABASE_ERRORS as error:
            if self._readable:
                log.warning("revocations_not_readable", error_type=type(error).__name__)
            self._readable = False
            return
        self._readable = True
        self.keys.apply([(direction, key_id) for _, direction, key_id in rows if direction is not None])
        now = self._clock()
        self._compare_clocks(now - rows[0][0])
        self._tell_of_changes(now)
        self._tell_of_peers()
        self._tell_of_keyless(now)

    async def _take_peers(self) -> bool:
        """Use the peers of a changed file, unless the service refuses them. Returns False to ask again."""
        if self.keys.offered is None:
            return True
        try:
            why = None if self._look_at_peers is None else await self._look_at_peers(self.keys.offered)
        except DATABASE_ERRORS as error:
            if not self._peers_wait:
                log.warning("peers_not_taken_over", error_type=type(error).__name__)
            self._peers_wait = True
            return False
        self._peers_wait = False
        if why is None:
            self.keys.take_offer()
        else:
            self._tell_of_files(self.keys.refuse_offer(why))
        return True

    def _tell_of_files(self, refusals: Sequence[FileRefused]) -> None:
        for refused in refusals:
            file = self.keys.variable_of(refused.direction)
            log.error("key_file_refused", direction=refused.direction, file=file, why=refused.why)

    def _tell_of_good_files(self) -> None:
        before, self._refused = self._refused, self.keys.refused
        self._show_refused(self._refused)
        for direction, is_refused in self._refused.items():
            if before.get(direction) and not is_refused:
                log.info("key_file_good_again", direction=direction, file=self.keys.variable_of(direction))

    def _tell_of_changes(self, now: float) -> None:
        before, live = self._live, self.keys.live_ids(now)
        replaced = self._replaced_secrets(live)
        if live == before and not replaced:
            return
        self._live = live
        self._on_change(now)
        for direction, key_id in replaced:
            log.info("key_secret_replaced", direction=direction, key_id=key_id)
        if live != before:
            report = log.info if all(live.values()) else log.error
            report("live_keys_changed", **{name: list(ids) for name, ids in live.items()})

    def _replaced_secrets(self, directions: Iterable[str]) -> list[tuple[str, str]]:
        """Returns the direction and the id of each key whose id stayed while its secret changed."""
        before = self._secrets
        self._secrets = {name: {key.key_id: key.secret for key in self.keys.ring(name).keys} for name in directions}
        return [
            (name, key_id)
            for name, secrets in self._secrets.items()
            for key_id, secret in secrets.items()
            if before.get(name, {}).get(key_id, secret) != secret
        ]

    def _tell_of_peers(self) -> None:
        before, peers = self._peers, self.keys.peers
        if peers == before:
            return
        self._peers = peers
        log.info(
            "peers_changed",
            peers={peer_id: peer.status.value for peer_id, peer in peers.items()},
            added=sorted(peers.keys() - before.keys()),
            changed=sorted(each for each in peers.keys() & before.keys() if peers[each] != before[each]),
            removed=sorted(before.keys() - peers.keys()),
        )

    def _tell_of_keyless(self, now: float) -> None:
        before, self._keyless = self._keyless, self.keys.keyless(now)
        for peer, directions in self._keyless.items():
            if directions != before.get(peer):
                log.error("peer_without_live_key", peer=peer, directions=directions)

    def _compare_clocks(self, ahead_seconds: float) -> None:
        """Log when this machine's clock and the database's differ: one checks signatures, the other nonces."""
        is_off = abs(ahead_seconds) > OWN_CLOCK_OFF_SECONDS
        if is_off and not self._clock_is_off:
            log.error("own_clock_is_off", ahead_of_database_seconds=round(ahead_seconds))
        self._clock_is_off = is_off
