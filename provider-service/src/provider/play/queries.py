"""Reads and writes what a game page needs: tokens, the rounds of a player, seeds."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final
from uuid import UUID

from provider.sessions.queries import COLUMNS, GameSession, session_of
from shared_service.postgres.database import Database

ROUNDS_MAX: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSession:
    """A session of demo play."""

    demo_id: UUID
    casino_code: str
    game_code: str
    balance_minor: int
    seed_sealed: bytes
    seed_sha256: str
    client_seed: str | None
    next_counter: int


@dataclass(frozen=True, slots=True)
class Player:
    """Who plays: in a game session, or for fun. `network`: where the token was last used; None in demo play."""

    session: GameSession | DemoSession
    user_agent_sha256: str
    network: str | None

    @property
    def session_key(self) -> str:
        """The id of the session."""
        of_game = isinstance(self.session, GameSession)
        return str(self.session.provider_session_id if of_game else self.session.demo_id)  # type: ignore[union-attr]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRound:
    """A round as a player recalls it. Of one without a draw `events` is None. `is_revealed`: its seed is not used
    any more."""

    round_id: UUID
    spin_id: str
    game_code: str
    at_ms: int
    stake_minor: int
    win_minor: int | None
    state: str
    balance_before_minor: int | None
    balance_after_minor: int | None
    events: str | None
    version: int
    configuration_hash: str
    seed_sha256: str
    seed_sealed: bytes
    is_revealed: bool
    client_seed: str
    counter: int


_ROUND: Final = tuple(each.name for each in fields(StoredRound))
_DEMO: Final = tuple(each.name for each in fields(DemoSession))
_MONEY_PLAYER: Final = f"""
    select {", ".join(f"s.{column}" for column in COLUMNS)}, token.user_agent_sha256, token.network
    from provider.play_tokens as token
    join provider.game_sessions as s on s.provider_session_id = token.provider_session_id
    where token.token_sha256 = %s and s.state = 'open'
"""  # noqa: S608 -- constants
_DEMO_PLAYER: Final = f"""
    select {", ".join(_DEMO)}, user_agent_sha256 from provider.demo_sessions
    where token_sha256 = %s and created_at > provider.clock() - interval '1 day'
"""  # noqa: S608 -- constants
_NETWORK: Final = "update provider.play_tokens set network = %s where token_sha256 = %s"
_USE_CODE: Final = "select o_code, o_session_id from provider.use_launch_code(%s, %s, %s, %s, %s)"
_MONEY_ROUNDS: Final = """
    select spin.round_id, spin.spin_id, spin.game_code, (extract(epoch from spin.created_at) * 1000)::bigint,
        spin.stake_minor, payout.amount_minor, r.state, debit.balance_after_minor + spin.stake_minor,
        payout.balance_after_minor, draw.events::text, configuration.version, spin.configuration_hash,
        seed.seed_sha256, seed.seed_sealed, seed.retired_at is not null, spin.client_seed, spin.counter
    from provider.spins as spin
    join provider.rounds as r on r.round_id = spin.round_id
    join provider.server_seeds as seed on seed.seed_id = spin.seed_id
    join provider.configurations as configuration on configuration.configuration_hash = spin.configuration_hash
    left join provider.wallet_transactions as debit on debit.transaction_id = spin.debit_id
    left join provider.draws as draw on draw.round_id = spin.round_id
    left join provider.wallet_transactions as payout on payout.transaction_id = draw.payout_id
    where spin.player_id = %(player)s and spin.game_code = %(game)s
        and (%(round)s::uuid is null or spin.round_id = %(round)s)
    order by spin.created_at desc, spin.round_id desc limit %(most)s
"""
_DEMO_ROUNDS: Final = """
    select r.round_id, r.spin_id, s.game_code, (extract(epoch from r.created_at) * 1000)::bigint, r.stake_minor,
        r.win_minor, 'settled', r.balance_after_minor + r.stake_minor - r.win_minor, r.balance_after_minor,
        r.events::text, configuration.version, r.configuration_hash, r.seed_sha256, r.seed_sealed,
        r.seed_sha256 <> s.seed_sha256, r.client_seed, r.counter
    from provider.demo_rounds as r
    join provider.demo_sessions as s on s.demo_id = r.demo_id
    join provider.configurations as configuration on configuration.configuration_hash = r.configuration_hash
    where r.demo_id = %(player)s and s.game_code = %(game)s
        and (%(round)s::uuid is null or r.round_id = %(round)s)
        and (%(spin)s::text is null or r.spin_id = %(spin)s)
    order by r.created_at desc, r.round_id desc limit %(most)s
"""


async def money_player(pool: Database, token_sha256: str) -> Player | None:
    """The player with this token, while the session is open."""
    rows = await pool.call(_MONEY_PLAYER, (token_sha256,))
    return Player(session_of(rows[0][: len(COLUMNS)]), *rows[0][len(COLUMNS) :]) if rows else None


async def demo_player(pool: Database, token_sha256: str) -> Player | None:
    """The same in demo play, for a day."""
    rows = await pool.call(_DEMO_PLAYER, (token_sha256,))
    return Player(DemoSession(**dict(zip(_DEMO, rows[0], strict=False))), rows[0][-1], None) if rows else None


async def note_network(pool: Database, token_sha256: str, network: str) -> None:
    """Note where a token is used now."""
    async with pool.connection() as connection:
        await connection.execute(_NETWORK, (network, token_sha256))


async def use_code(
    pool: Database, code_sha256: str, *, game_code: str, token_sha256: str, user_agent_sha256: str, network: str
) -> tuple[str | None, UUID | None]:
    """Trade a launch code for a token. Returns the refusal, or None and the session's id."""
    rows = await pool.call(_USE_CODE, (code_sha256, game_code, token_sha256, user_agent_sha256, network))
    return rows[0][0], rows[0][1]


async def rounds_of(
    pool: Database, session: GameSession | DemoSession, *, round_id: UUID | None = None, spin_id: str | None = None
) -> Sequence[StoredRound]:
    """The newest rounds of a player in the session's game, or the one with this id (or spin, in demo play)."""
    of_game = isinstance(session, GameSession)
    values = {
        "player": session.player_id if isinstance(session, GameSession) else session.demo_id,
        "game": session.game_code,
        "round": round_id,
        "spin": spin_id,
        "most": ROUNDS_MAX,
    }
    rows = await pool.call(_MONEY_ROUNDS if of_game else _DEMO_ROUNDS, values)
    return [StoredRound(**dict(zip(_ROUND, row, strict=True))) for row in rows]


async def change_seeds(pool: Database, *values: Any) -> tuple[Any, ...]:
    """See the SQL function."""
    rows = await pool.call("select * from provider.change_seeds(%s, %s, %s, %s, %s, %s)", values)
    return tuple(rows[0])


async def now_ms(pool: Database) -> int:
    """The database's time."""
    return int((await pool.call("select (extract(epoch from provider.clock()) * 1000)::bigint", ()))[0][0])


async def prune(pool: Database, most: int) -> int:
    """Delete rows that nobody needs any more. Returns how many."""
    return int((await pool.call("select provider.prune_play(%s)", (most,)))[0][0])
