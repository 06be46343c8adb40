"""Answers spins: finds those that were asked for before, checks the gates, and plays new ones.

Repetitions come before every gate: an outcome that exists is told, whatever has changed since.
"""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import structlog

from provider.casinos.registry import Casino, require_live
from provider.catalogue.configurations import Configurations
from provider.catalogue.games import GAMES, Slot
from provider.errors import Refused
from provider.outbox.books import NotRecorded
from provider.outbox.serving import MoneyCalls
from provider.sessions.launch import OpenSession, require_open
from provider.sessions.queries import GameSession
from provider.sessions.sealing import SealBroken, seed_sealer_for
from provider.settings import Settings
from provider.spins.play import Rules, SpinPlay, SpinRequest
from provider.spins.queries import StoredSpin, spin_by_id
from provider.spins.seeds import ServerSeed, seed_for
from shared_service.postgres.database import DATABASE_DOWN, Database, OutcomeUnknown

log = structlog.get_logger(__name__)

OPENINGS_MAX: Final = 3
"""How often a spin is begun when its seed's counter moved meanwhile."""

_REFUSALS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "casino_draining": "casino_draining",
        "session_busy": "session_busy",
        "session_not_found": "session_not_found",
        "session_stopped": "session_expired",
        "seed_moved": "session_busy",
    }
)
"""Why the books do not open a spin's round. Of a spin that was opened, by whomever, the books say how it ended."""


class Spins:
    """Plays spins, and keeps those that outlast their request."""

    def __init__(self, settings: Settings, pool: Database, money: MoneyCalls, configurations: Configurations) -> None:
        self._call_seconds = settings.call_seconds
        self._pool = pool
        self._sealer = seed_sealer_for(settings)
        self._money = money
        self._configurations = configurations
        self._tasks: set[asyncio.Task[StoredSpin | None]] = set()

    async def spin(
        self, casino: Casino, session: OpenSession, asked: SpinRequest, *, seconds: float, request_id: str
    ) -> StoredSpin:
        """The spin with this id of the session's player, played now unless it exists.

        Within `seconds`: then raises `session_busy`, and the spin goes on in the background. Raises
        `idempotency_mismatch` for a spin of another game or stake, and `Refused` for what a gate says.
        """
        stored = await self._stored(session, asked)
        if stored is not None:
            return stored
        require_live(casino)
        require_open(session)
        slot = _slot(session.row, asked)
        task = asyncio.create_task(self._play(casino, session, asked, slot, request_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        ended, _ = await asyncio.wait({task}, timeout=max(seconds, 0.0))
        if not ended:
            task.add_done_callback(_log_failure)
            raise Refused("session_busy")
        return task.result() or await self._read_again(session, asked)

    async def close(self) -> None:
        """Wait for spins that are still played, at most as long as a call takes. The outbox finishes the rest."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self._call_seconds)
            for task in late:
                task.cancel()

    async def _stored(self, session: OpenSession, asked: SpinRequest) -> StoredSpin | None:
        spin = await spin_by_id(self._pool, session.row.player_id, asked.spin_id)
        if spin is None:
            return None
        if spin.game_code != session.row.game_code:
            raise Refused("idempotency_mismatch", field="gameId")
        if spin.stake_minor != asked.stake_minor:
            raise Refused("idempotency_mismatch", field="stake")
        return spin

    async def _play(
        self, casino: Casino, session: OpenSession, asked: SpinRequest, slot: Slot, request_id: str
    ) -> StoredSpin | None:
        """Play a new spin; returns it when it is paid, else None: the books say how it ended."""
        books, sender, row = self._money.senders.books, self._money.senders.of(casino), session.row
        with self._money.running.one_of(casino):
            configuration_hash = await self._configurations.hash_of(slot, row.currency)
            for openings_left in reversed(range(OPENINGS_MAX)):
                seed = await self._seed_of(row)
                rules = Rules(slot=slot, configuration_hash=configuration_hash, seed=seed)
                try:
                    return await SpinPlay(books, sender, session, asked, rules, request_id=request_id).play()
                except OutcomeUnknown:  # the round may be open; the same id finds out
                    raise Refused("session_busy") from None
                except NotRecorded as refusal:
                    if refusal.code == "seed_moved" and openings_left:
                        continue
                    if refusal.code in _REFUSALS:
                        raise Refused(_REFUSALS[refusal.code]) from None
                    return None
        return None

    async def _seed_of(self, session: GameSession) -> ServerSeed:
        """The seed of the next draw. Raises `overloaded` for one that cannot be opened: nothing was done."""
        try:
            return await seed_for(self._pool, self._sealer, player_id=session.player_id, game_code=session.game_code)
        except SealBroken:
            log.error("seed_seal_broken", player_id=session.player_id, game=session.game_code)
            raise Refused("overloaded") from None

    async def _read_again(self, session: OpenSession, asked: SpinRequest) -> StoredSpin:
        """The spin after it was played. Raises `session_busy` when the books cannot be read."""
        try:
            spin = await self._stored(session, asked)
        except DATABASE_DOWN:
            spin = None
        if spin is None:
            raise Refused("session_busy")
        return spin


def _slot(session: GameSession, asked: SpinRequest) -> Slot:
    """The slot of a session. Raises `game_not_found` for a game that is none, and for a stake that it does not take."""
    game = GAMES.get(session.game_code)
    if game is None or game.slot is None:
        raise Refused("game_not_found")
    if asked.stake_minor < game.bet_min_minor:
        raise Refused("stake_too_low")
    if asked.stake_minor > game.bet_max_minor:
        raise Refused("stake_too_high")
    return game.slot


def _log_failure(task: asyncio.Task[StoredSpin | None]) -> None:
    """Log why a spin failed that nobody waits for any more."""
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, Refused):
        log.error("spin_failed", error_type=type(error).__name__)
