"""Demo play: the same mathematics, with FUN that exists in these books alone. No wallet hears of it."""

import uuid
from typing import Any, Final

import msgspec
from starlette.responses import Response

from provider.casinos.registry import Casinos
from provider.catalogue.terms import STUDIO_TERMS, CasinoTerms
from provider.errors import Refused
from provider.games.fairness.draws import SeededSource
from provider.games.slots.spin import events_of, play_round, win_minor
from provider.offers.configurations import Configurations
from provider.offers.stops import Stops
from provider.play.money import slot_of
from provider.play.queries import DemoSession, StoredRound, now_ms, rounds_of
from provider.play.views import DEMO_CURRENCY, PreviousSeed, Round, Seeds, State, round_view, state_view
from provider.sessions.sealing import Sealer
from provider.spins.answers import ConfigurationName, PlayedAnswer
from provider.spins.seeds import new_seed
from provider.wire import json_answer
from shared_service.postgres.database import Database

OPENING_MINOR: Final = 10_000_000
"""FUN 100,000.00."""
PLAYS_MAX: Final = 3
_BEGIN: Final = """
    insert into provider.demo_sessions (
        demo_id, token_sha256, user_agent_sha256, casino_code, game_code, balance_minor, seed_sealed, seed_sha256
    )
    values (%s, %s, %s, %s, %s, %s, %s, %s)
    returning demo_id, casino_code, game_code, balance_minor, seed_sealed, seed_sha256, client_seed, next_counter
"""
_PLAY: Final = "select provider.play_demo(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
_NOW: Final = """
    select demo_id, casino_code, game_code, balance_minor, seed_sealed, seed_sha256, client_seed, next_counter
    from provider.demo_sessions where demo_id = %s
"""
_CLIENT_SEED: Final = "update provider.demo_sessions set client_seed = %s where demo_id = %s"
_ROTATE: Final = """
    update provider.demo_sessions set seed_sealed = %s, seed_sha256 = %s, client_seed = %s, next_counter = 0
    where demo_id = %s and seed_sha256 = %s returning demo_id
"""


class DemoPlay:
    """Serves the pages of demo play."""

    def __init__(self, pool: Database, casinos: Casinos, stops: Stops, *, seeds: Sealer) -> None:
        self._pool = pool
        self._stops = stops
        self._casinos = casinos
        self._seeds = seeds
        self._configurations = Configurations(pool)

    async def begin(
        self, casino_code: str, game_code: str, *, token_sha256: str, user_agent_sha256: str
    ) -> DemoSession:
        """A new session. Raises `game_not_found`, `not_found` for an unknown casino, and `demo_not_allowed`."""
        slot, casino = slot_of(game_code), self._casinos.of(casino_code)
        if casino is None:
            raise Refused("not_found", sentence="There is no such casino.")
        if not casino.terms.limits_of(slot, DEMO_CURRENCY).jurisdiction.demo_play:
            raise Refused("demo_not_allowed")
        sealed, sha256 = new_seed(self._seeds)
        values = (uuid.uuid4(), token_sha256, user_agent_sha256, casino_code, game_code, OPENING_MINOR, sealed, sha256)
        return _session((await self._pool.call(_BEGIN, values))[0])

    async def state(self, session: DemoSession, *, request_id: str) -> State:  # noqa: ARG002 -- as for money
        """The state of the game."""
        slot, rounds = slot_of(session.game_code), await self.rounds(session)
        configuration = await self._configurations.stored(slot, DEMO_CURRENCY, self._terms(session))
        return state_view(
            session, configuration, rounds, balance_minor=session.balance_minor, version=rounds[0].at if rounds else 0,
            now_ms=await now_ms(self._pool),
        )  # fmt: skip

    async def spin(
        self,
        session: DemoSession,
        spin_id: str,
        stake_minor: int,
        *,
        request_id: str,  # noqa: ARG002 -- as for money
        seconds: float,  # noqa: ARG002
    ) -> Response:
        """Play, or answer what was played under this id."""
        slot = slot_of(session.game_code)
        configuration = await self._configurations.stored(slot, DEMO_CURRENCY, self._terms(session))
        limits = configuration.limits
        for _ in range(PLAYS_MAX):
            known = await rounds_of(self._pool, session, spin_id=spin_id)
            if known:
                return _answer(known[0], stake_minor)
            self._stops.require_running(session.game_code)
            if not limits.min_bet <= stake_minor <= limits.max_bet:
                raise Refused("stake_too_low" if stake_minor < limits.min_bet else "stake_too_high")
            secret = bytes.fromhex(self._seeds.open(bytes(session.seed_sealed)))
            client_seed = session.client_seed or spin_id
            played = play_round(slot.game.model, SeededSource(secret, client_seed, session.next_counter))
            win = win_minor(played, stake_minor=stake_minor, max_win_minor=limits.max_win)
            events = msgspec.json.encode(events_of(played, win_minor=win)).decode()
            values = (
                session.demo_id, uuid.uuid4(), spin_id, stake_minor, win, session.seed_sha256, client_seed,
                session.next_counter, configuration.hash, events, limits.jurisdiction.least_cycle_ms.slot,
            )  # fmt: skip
            outcome = (await self._pool.call(_PLAY, values))[0][0]
            if outcome in ("rate_limited", "insufficient_balance"):
                raise Refused(outcome)
            session = _session((await self._pool.call(_NOW, (session.demo_id,)))[0])
        known = await rounds_of(self._pool, session, spin_id=spin_id)
        if known:
            return _answer(known[0], stake_minor)
        raise Refused("session_busy")

    async def rounds(self, session: DemoSession, round_id: uuid.UUID | None = None) -> list[Round]:
        """The last rounds, or the one with this id."""
        found = await rounds_of(self._pool, session, round_id=round_id)
        return [round_view(each, self._seeds, demo=True) for each in found]

    async def seeds(self, session: DemoSession) -> Seeds:
        """The seeds of the next draw."""
        return Seeds(
            game_id=session.game_code, server_seed_hash=session.seed_sha256, client_seed=session.client_seed,
            counter=session.next_counter,
        )  # fmt: skip

    async def change_seeds(self, session: DemoSession, client_seed: str | None, *, rotate: bool) -> Seeds:
        """Set the client seed, and reveal the server seed for a new one."""
        previous = None
        if rotate:
            sealed, sha256 = new_seed(self._seeds)
            values: tuple[Any, ...] = (sealed, sha256, client_seed, session.demo_id, session.seed_sha256)
            if not await self._pool.call(_ROTATE, values):
                raise Refused("session_busy")
            secret = self._seeds.open(bytes(session.seed_sealed))
            previous = PreviousSeed(server_seed=secret, server_seed_hash=session.seed_sha256)
        elif client_seed is not None:
            async with self._pool.connection() as connection:
                await connection.execute(_CLIENT_SEED, (client_seed, session.demo_id))
        changed = await self.seeds(_session((await self._pool.call(_NOW, (session.demo_id,)))[0]))
        return msgspec.structs.replace(changed, previous=previous)

    def _terms(self, session: DemoSession) -> CasinoTerms:
        casino = self._casinos.of(session.casino_code)
        return STUDIO_TERMS if casino is None else casino.terms


def _session(row: tuple[Any, ...]) -> DemoSession:
    names = ("demo_id", "casino_code", "game_code", "balance_minor", "seed_sealed", "seed_sha256", "client_seed")
    return DemoSession(**dict(zip((*names, "next_counter"), row, strict=True)))


def _answer(stored: StoredRound, stake_minor: int) -> Response:
    if stored.stake_minor != stake_minor:
        raise Refused("idempotency_mismatch", field="stake")
    return json_answer(
        PlayedAnswer(
            spin_id=stored.spin_id,
            round_id=str(stored.round_id),
            stake=stored.stake_minor,
            win=stored.win_minor or 0,
            balance=str(stored.balance_after_minor),
            events=msgspec.Raw((stored.events or "[]").encode()),
            configuration=ConfigurationName(stored.version, stored.configuration_hash),
            version=stored.at_ms,
        )
    )
