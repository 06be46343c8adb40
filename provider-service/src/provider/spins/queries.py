"""Reads and writes spins, their server seeds and their outcomes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Final, TypeVar
from uuid import UUID

from shared_service.postgres.database import Database

Row = TypeVar("Row")

_SPIN: Final = """
    select spin.round_id, spin.game_code, spin.stake_minor, spin.configuration_hash, configuration.version,
        r.state as round_state,
        draw.events::text as events, payout.state as payout_state, payout.amount_minor as win_minor,
        payout.balance_after_minor as balance_minor,
        refusal.status as refused_status, refusal.code as refused_code, refusal.sentence as refused_sentence,
        refusal.player_message as refused_message,
        coalesce(debit.state = 'pending', false) or coalesce(undo.state = 'pending', false) as is_unclear
    from provider.spins as spin
    join provider.rounds as r on r.round_id = spin.round_id
    join provider.configurations as configuration on configuration.configuration_hash = spin.configuration_hash
    left join provider.wallet_transactions as debit on debit.transaction_id = spin.debit_id
    left join provider.wallet_transactions as undo on undo.transaction_id = debit.rollback_transaction_id
    left join provider.draws as draw on draw.round_id = spin.round_id
    left join provider.wallet_transactions as payout on payout.transaction_id = draw.payout_id
    left join provider.spin_refusals as refusal on refusal.round_id = spin.round_id
    where spin.player_id = %s and spin.spin_id = %s
"""
_SEED: Final = """
    select seed_id, seed_sealed, next_counter
    from provider.server_seeds
    where player_id = %s and game_code = %s and retired_at is null
"""
_TAKE_SEED: Final = """
    select o_seed_id as seed_id, o_seed_sealed as seed_sealed, o_next_counter as next_counter
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


_NAMES: Final[Mapping[type[Any], tuple[str, ...]]] = MappingProxyType(
    {kind: tuple(each.name for each in fields(kind)) for kind in (StoredSpin, StoredSeed)}
)
"""The columns of the statements, in the order of the members."""


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
    return kind(**dict(zip(_NAMES[kind], rows[0], strict=True))) if rows else None
