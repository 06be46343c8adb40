"""Answers spins: finds those that were asked for before, checks the gates, and plays new ones.

Repetitions come before every gate: an outcome that exists is told, whatever has changed since.
"""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from uuid import UUID

import structlog

from provider.casinos.registry import require_live
from provider.catalogue.games import GAMES, Slot
from provider.errors import Refused
from provider.offers.configurations import Configurations
from provider.offers.stops import Stops
from provider.outbox.books import NotRecorded
from provider.outbox.serving import MoneyCalls
from provider.sessions.launch import require_open
from provider.sessions.queries import GameSession
from provider.sessions.sealing import SealBroken, seed_sealer_for
from provider.settings import Settings
from provider.spins.play import Order, Rules, SpinPlay
from provider.spins.queries import Before, StoredSeed, StoredSpin, before_spin, spin_by_id
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

    def __init__(
        self, settings: Settings, pool: Database, money: MoneyCalls, configurations: Configurations, stops: Stops
    ) -> None:
        self.stops = stops
        self._call_seconds = settings.call_seconds
        self._pool = pool
        self._sealer = seed_sealer_for(settings)
        self._money = money
        self._configurations = configurations
        self._tasks: set[asyncio.Task[StoredSpin | None]] = set()

    async def before(self, provider_session_id: UUID | None, spin_id: str) -> Before:
        """What the books have for a spin in this session."""
        return await before_spin(self._pool, provider_session_id, spin_id)

    async def spin(self, order: Order, before: Before, *, seconds: float) -> StoredSpin:
        """The spin with this id of the session's player, played now unless it exists (`before`).

        Within `seconds`: then raises `session_busy`, and the spin goes on in the background. Raises
        `idempotency_mismatch` for a spin of another game or stake, and `Refused` for what a gate says.
        """
        if before.spin is not None:
            return _same_content(before.spin, order)
        require_live(order.casino)
        require_open(order.session)
        self.stops.require_running(order.session.row.game_code)
        slot, pace = _slot(order), before.pace
        least_ms = order.casino.terms.limits_of(slot, order.session.row.currency).jurisdiction.least_cycle_ms.slot
        if pace.since_round_ms is not None and pace.since_round_ms < least_ms:
            raise Refused("rate_limited", sentence="The game's least cycle has not passed.")
        if pace.since_refusal_ms is not None and pace.since_refusal_ms < order.cooldown_ms:
            raise Refused("rate_limited", sentence="The last bet was refused.")
        task = asyncio.create_task(self._play(order, slot, before.seed, is_paced=least_ms > 0))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        ended, _ = await asyncio.wait({task}, timeout=max(seconds, 0.0))
        if not ended:
            task.add_done_callback(_log_failure)
            raise Refused("session_busy")
        return task.result() or await self._read_again(order)

    async def close(self) -> None:
        """Wait for spins that are still played, at most as long as a call takes. The outbox finishes the rest."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self._call_seconds)
            for task in late:
                task.cancel()

    async def _play(self, order: Order, slot: Slot, known: StoredSeed | None, *, is_paced: bool) -> StoredSpin | None:
        """Play a new spin; returns it when it is paid, else None: the books say how it ended.

        `is_paced`: there is a least cycle, so a round that came between refuses this one.
        """
        books, sender, session = self._money.senders.books, self._money.senders.of(order.casino), order.session.row
        with self._money.running.one_of(order.casino):
            configuration = await self._configurations.stored(slot, session.currency, order.casino.terms)
            for openings_left in reversed(range(OPENINGS_MAX)):
                seed, known = await self._seed_of(session, known), None
                cap = min(configuration.limits.max_win, session.max_win_minor or configuration.limits.max_win)
                rules = Rules(configuration=configuration, max_win_minor=cap, seed=seed)
                try:
                    return await SpinPlay(books, sender, order, rules).play()
                except OutcomeUnknown:  # the round may be open; the same id finds out
                    raise Refused("session_busy") from None
                except NotRecorded as refusal:
                    if refusal.code == "seed_moved" and openings_left and not is_paced:
                        continue
                    if refusal.code in _REFUSALS:
                        raise Refused(_REFUSALS[refusal.code]) from None
                    return None
        return None

    async def _seed_of(self, session: GameSession, known: StoredSeed | None) -> ServerSeed:
        """The seed of the next draw. Raises `overloaded` for one that cannot be opened: nothing was done."""
        try:
            return await seed_for(
                self._pool, self._sealer, player_id=session.player_id, game_code=session.game_code, known=known
            )
        except SealBroken:
            log.error("seed_seal_broken", player_id=session.player_id, game=session.game_code)
            raise Refused("overloaded") from None

    async def _read_again(self, order: Order) -> StoredSpin:
        """The spin after it was played. Raises `session_busy` when the books cannot be read."""
        try:
            spin = await spin_by_id(self._pool, order.session.row.player_id, order.asked.spin_id)
        except DATABASE_DOWN:
            spin = None
        if spin is None:
            raise Refused("session_busy")
        return _same_content(spin, order)


def _same_content(spin: StoredSpin, order: Order) -> StoredSpin:
    """The spin. Raises `idempotency_mismatch` when it is of another game or stake."""
    if spin.game_code != order.session.row.game_code:
        raise Refused("idempotency_mismatch", field="gameId")
    if spin.stake_minor != order.asked.stake_minor:
        raise Refused("idempotency_mismatch", field="stake")
    return spin


def _slot(order: Order) -> Slot:
    """The slot of a session. Raises `game_not_found` for a game that is none, and for a stake that it does not take."""
    game = GAMES.get(order.session.row.game_code)
    if game is None or game.slot is None:
        raise Refused("game_not_found")
    limits = order.casino.terms.limits_of(game.slot, order.session.row.currency)
    if order.asked.stake_minor < limits.min_bet:
        raise Refused("stake_too_low")
    if order.asked.stake_minor > limits.max_bet:
        raise Refused("stake_too_high")
    return game.slot


def _log_failure(task: asyncio.Task[StoredSpin | None]) -> None:
    """Log why a spin failed that nobody waits for any more."""
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, Refused):
        log.error("spin_failed", error_type=type(error).__name__)
