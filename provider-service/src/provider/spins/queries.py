"""Reads and writes spins, their server seeds and their outcomes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Final, TypeVar
from uuid import UUID

from provider.sessions.queries import COLUMNS, GameSession, session_of
from shared_service.postgres.database import Database

Row = TypeVar("Row")

_SPIN_COLUMNS: Final = """
    spin.round_id, spin.game_code, spin.stake_minor, spin.configuration_hash, configuration.version,
    r.state as round_state, draw.events::text as events, payout.state as payout_state,
    payout.amount_minor as win_minor, payout.balance_after_minor as balance_minor,
    payout.head_sequence as balance_version,
    refusal.status as refused_status, refusal.code as refused_code, refusal.sentence as refused_sentence,
    refusal.player_message as refused_message,
    coalesce(debit.state = 'pending', false) or coalesce(undo.state = 'pending', false) as is_unclear
"""
_OF_SPIN: Final = """
    left join provider.rounds as r on r.round_id = spin.round_id
    left join provider.configurations as configuration on configuration.configuration_hash = spin.configuration_hash
    left join provider.wallet_transactions as debit on debit.transaction_id = spin.debit_id
    left join provider.wallet_transactions as undo on undo.transaction_id = debit.rollback_transaction_id
    left join provider.draws as draw on draw.round_id = spin.round_id
    left join provider.wallet_transactions as payout on payout.transaction_id = draw.payout_id
    left join provider.spin_refusals as refusal on refusal.round_id = spin.round_id
"""
_SPIN: Final = f"""
    select {_SPIN_COLUMNS} from provider.spins as spin {_OF_SPIN} where spin.player_id = %s and spin.spin_id = %s
"""  # noqa: S608 -- constants
_BEFORE: Final = f"""
    select {", ".join(f"s.{column}" for column in COLUMNS)}, {_SPIN_COLUMNS},
        seed.seed_id, seed.seed_sealed, seed.next_counter, seed.client_seed,
        (extract(epoch from provider.clock() - last.created_at) * 1000)::bigint as since_round_ms,
        (extract(epoch from provider.clock() - refused.created_at) * 1000)::bigint as since_refusal_ms
    from provider.game_sessions as s
    left join provider.spins as spin on spin.player_id = s.player_id and spin.spin_id = %s
    {_OF_SPIN}
    left join provider.server_seeds as seed
        on seed.player_id = s.player_id and seed.game_code = s.game_code and seed.retired_at is null
    left join provider.rounds as last on last.round_id = coalesce(seed.round_id, seed.earlier_round_id)
    left join provider.spin_refusals as refused on refused.round_id = last.round_id
    where s.provider_session_id = %s
"""  # noqa: S608 -- constants
_SEED: Final = """
    select seed_id, seed_sealed, next_counter, client_seed
    from provider.server_seeds
    where player_id = %s and game_code = %s and retired_at is null
"""
_TAKE_SEED: Final = """
    select o_seed_id as seed_id, o_seed_sealed as seed_sealed, o_next_counter as next_counter, null as client_seed
    from provider.take_seed(%s, %s, %s, %s, %s)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSpin:
    """A spin as it stands in the books. `is_unclear`: its debit, or the rollback of it, has no outcome yet."""

    round_id: UUID
    game_code: str
    stake_minor: int
    configuration_hash: str
    version: int
    round_state: str
    events: str | None
    payout_state: str | None
    win_minor: int | None
    balance_minor: int | None
    balance_version: int | None = None
    refused_status: int | None = None
    refused_code: str | None = None
    refused_sentence: str | None = None
    refused_message: str | None = None
    is_unclear: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSeed:
    """The server seed that a player uses in a game."""

    seed_id: UUID
    seed_sealed: bytes = field(repr=False)
    next_counter: int
    client_seed: str | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """How long ago the player's last round in the game began, and the wallet refused its bet; None: it did not."""

    since_round_ms: int | None = None
    since_refusal_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What the books have when a spin is asked for: the session, the player's spin with this id, the seed in use."""

    session: GameSession | None = None
    spin: StoredSpin | None = None
    seed: StoredSeed | None = None
    pace: Pace = Pace()


_NAMES: Final[Mapping[type[Any], tuple[str, ...]]] = MappingProxyType(
    {kind: tuple(each.name for each in fields(kind)) for kind in (StoredSpin, StoredSeed)}
)
"""The columns of the statements, in the order of the members."""


async def before_spin(pool: Database, provider_session_id: UUID | None, spin_id: str) -> Before:
    """What the books have for a spin in this session, by one statement."""
    rows = await pool.call(_BEFORE, (spin_id, provider_session_id)) if provider_session_id else []
    if not rows:
        return Before()
    of_spin, of_seed = len(COLUMNS), len(COLUMNS) + len(_NAMES[StoredSpin])
    of_pace = of_seed + len(_NAMES[StoredSeed])
    spin, seed = rows[0][of_spin:of_seed], rows[0][of_seed:of_pace]
    return Before(
        session=session_of(rows[0][:of_spin]),
        spin=None if spin[0] is None else _made(StoredSpin, spin),
        seed=None if seed[0] is None else _made(StoredSeed, seed),
        pace=Pace(*rows[0][of_pace:]),
    )


async def spin_by_id(pool: Database, player_id: int, spin_id: str) -> StoredSpin | None:
    """The player's spin with this id, or None."""
    return await _one(pool, StoredSpin, _SPIN, (player_id, spin_id))


async def seed_in_use(pool: Database, player_id: int, game_code: str) -> StoredSeed | None:
    """The seed that the player uses in a game, or None before the first one."""
    return await _one(pool, StoredSeed, _SEED, (player_id, game_code))


async def take_seed(
    pool: Database, player_id: int, game_code: str, *, seed_id: UUID, sealed: bytes, sha256: str
) -> StoredSeed:
    """Store a first seed; returns the seed in use, which may be one that was stored meanwhile."""
    found = await _one(pool, StoredSeed, _TAKE_SEED, (seed_id, player_id, game_code, sealed, sha256))
    if found is None:
        raise RuntimeError("the function returned no seed")
    return found


async def _one(pool: Database, kind: type[Row], statement: str, values: tuple[Any, ...]) -> Row | None:
    rows = await pool.call(statement, values)
    return _made(kind, rows[0]) if rows else None


def _made(kind: type[Row], row: tuple[Any, ...]) -> Row:
    return kind(**dict(zip(_NAMES[kind], row, strict=True)))
