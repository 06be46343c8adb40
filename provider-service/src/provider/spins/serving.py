"""Serves POST /provider/spin: plays a slot for the casino's own client."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Final

import structlog
from starlette.requests import Request
from starlette.responses import Response

from provider.casinos.registry import Casino, Casinos, require_live
from provider.catalogue.configurations import Configurations
from provider.catalogue.games import GAMES, Slot
from provider.errors import Refused
from provider.outbox.books import NotRecorded
from provider.outbox.serving import MoneyCalls
from provider.sessions.launch import OpenSession, find_session, read_session, require_open
from provider.sessions.sealing import Sealer
from provider.settings import Settings
from provider.spins.answers import answer_of
from provider.spins.play import Rules, SpinPlay, SpinRequest
from provider.spins.queries import StoredSpin, spin_by_id
from provider.spins.seeds import seed_for
from provider.wire import read_request
from shared_service.http.decoding import identifier
from shared_service.http.exchange import remaining_seconds, request_id
from shared_service.http.routing import SIGNED, Route, Share, route
from shared_service.postgres.database import DATABASE_DOWN, Database

log = structlog.get_logger(__name__)

PLAIN: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")
ANSWER_MARGIN_SECONDS: Final = 0.5
"""The answer is sent this long before the caller's deadline."""
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
"""Why the books do not open a spin's round."""


class Spins:
    """Plays spins, and keeps those that outlast their request."""

    def __init__(
        self, settings: Settings, pool: Database, sealer: Sealer, money: MoneyCalls, configurations: Configurations
    ) -> None:
        self._rounds_max = settings.rounds_max
        self._call_seconds = settings.call_seconds
        self._pool = pool
        self._sealer = sealer
        self._money = money
        self._configurations = configurations
        self._running = Counter[str]()
        self._tasks: set[asyncio.Task[None]] = set()

    async def stored(self, session: OpenSession, asked: SpinRequest) -> StoredSpin | None:
        """The player's spin with this id, or None. Raises `idempotency_mismatch` when it is another one."""
        spin = await spin_by_id(self._pool, session.row.player_id, asked.spin_id)
        if spin is not None:
            for name, given, kept in (
                ("gameId", session.row.game_code, spin.game_code),
                ("stake", asked.stake_minor, spin.stake_minor),
            ):
                if given != kept:
                    raise Refused("idempotency_mismatch", field=name)
        return spin

    async def play(
        self, casino: Casino, session: OpenSession, asked: SpinRequest, slot: Slot, request: Request
    ) -> None:
        """Play until the spin has ended, or until the caller must be answered; then it goes on in the background."""
        task = asyncio.create_task(self._play(casino, session, asked, slot, request_id(request.scope)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        seconds = max(remaining_seconds(request.scope) - ANSWER_MARGIN_SECONDS, 0.0)
        ended, _ = await asyncio.wait({task}, timeout=seconds)
        if not ended:
            task.add_done_callback(_log_failure)
            raise Refused("session_busy")
        task.result()

    async def close(self) -> None:
        """Wait for spins that are still played, at most as long as a call takes. The outbox finishes the rest."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self._call_seconds)
            for task in late:
                task.cancel()

    async def _play(self, casino: Casino, session: OpenSession, asked: SpinRequest, slot: Slot, own_id: str) -> None:
        books, sender = self._money.senders.books, self._money.senders.of(casino)
        row = session.row
        with self._one_of(casino):
            configuration_hash = await self._configurations.hash_of(slot, row.currency)
            for attempt in range(1, OPENINGS_MAX + 1):
                seed = await seed_for(self._pool, self._sealer, player_id=row.player_id, game_code=row.game_code)
                rules = Rules(slot=slot, configuration_hash=configuration_hash, seed=seed)
                try:
                    await SpinPlay(books, sender, session, asked, rules, request_id=own_id).play()
                except NotRecorded as refusal:
                    if refusal.code == "seed_moved" and attempt < OPENINGS_MAX:
                        continue
                    _refuse(refusal.code)
                return

    @contextmanager
    def _one_of(self, casino: Casino) -> Iterator[None]:
        """Count a spin of this casino. Raises `overloaded` above the bound."""
        if self._running[casino.code] >= self._rounds_max:
            raise Refused("overloaded")
        self._running[casino.code] += 1
        try:
            yield
        finally:
            self._running[casino.code] -= 1


def routes(settings: Settings, pool: Database, sealer: Sealer, casinos: Casinos, spins: Spins) -> list[Route]:
    """POST /provider/spin. At most half of the service's capacity is spins, so launches always find some."""

    async def post_spin(request: Request) -> Response:
        members, casino = read_request(request), casinos.signer_of(request)
        named, asked = read_session(members), read_spin(members)
        session = await find_session(pool, sealer, signer=casino, named=named)
        spin = await spins.stored(session, asked)
        if spin is None:
            require_live(casino)
            require_open(session)
            await spins.play(casino, session, asked, _slot(session, asked), request)
            spin = await _read_again(spins, session, asked)
        return answer_of(asked.spin_id, spin, request_id=request_id(request.scope))

    share = Share(max(1, settings.requests_max // 2))
    return [route("POST", "/provider/spin", post_spin, access=SIGNED, share=share)]


def read_spin(members: dict[str, Any]) -> SpinRequest:
    """Read a spin from a body. Raises `invalid_field`."""
    spin_id = _plain(members, "spinId")
    stake = members.get("stake")
    if type(stake) is not int or stake < 1:
        raise Refused("invalid_field", field="stake")
    client_seed = spin_id if members.get("clientSeed") is None else _plain(members, "clientSeed")
    return SpinRequest(spin_id=spin_id, stake_minor=stake, client_seed=client_seed)


def _plain(members: dict[str, Any], name: str) -> str:
    value = identifier(members, name)
    if PLAIN.fullmatch(value) is None:
        raise Refused("invalid_field", field=name)
    return value


def _slot(session: OpenSession, asked: SpinRequest) -> Slot:
    """The slot of a session. Raises `game_not_found` when its game is none, and for a stake that it does not take."""
    game = GAMES.get(session.row.game_code)
    if game is None or game.slot is None:
        raise Refused("game_not_found")
    if asked.stake_minor < game.bet_min_minor:
        raise Refused("stake_too_low")
    if asked.stake_minor > game.bet_max_minor:
        raise Refused("stake_too_high")
    return game.slot


async def _read_again(spins: Spins, session: OpenSession, asked: SpinRequest) -> StoredSpin:
    try:
        spin = await spins.stored(session, asked)
    except DATABASE_DOWN:
        spin = None
    if spin is None:
        raise Refused("session_busy")
    return spin


def _refuse(code: str) -> None:
    """Answer why a spin was not begun. Of a spin that began, the books say how it ended."""
    if code in _REFUSALS:
        raise Refused(_REFUSALS[code])


def _log_failure(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, Refused):
        log.error("spin_failed", error_type=type(error).__name__)
