"""The configuration of a game in a currency: what rules a round, as bytes with a hash.

A round stores the hash. Whoever has the hash finds the bytes at GET /v1/configurations/{hash}, for ever.
"""

import asyncio
import hashlib
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Final

import msgspec

from provider.catalogue.games import Slot
from provider.catalogue.terms import STUDIO_TERMS, CasinoTerms, Limits
from provider.games.slots.model import X100_MAX, SlotGame, SlotModel
from provider.games.slots.rtp import Payback, payback_of
from shared_service.postgres.database import Database

KNOWN_MAX: Final = 1000
"""Configurations that a process remembers."""
OFFERED_MAX: Final = 100
"""Configurations of a version of a game that are stored because somebody read the catalogue."""
_KEEP: Final = """
    insert into provider.configurations (configuration_hash, game_code, version, document)
    select %(hash)s, %(game_code)s, %(version)s, %(document)s
    where %(most)s::bigint is null or %(most)s::bigint > (
        select count(*) from provider.configurations as kept
        where kept.game_code = %(game_code)s and kept.version = %(version)s
    )
    on conflict do nothing
"""
_FIND: Final = "select document from provider.configurations where configuration_hash = %s"


@dataclass(frozen=True, slots=True)
class Configuration:
    """A slot in one currency for one casino. `hash` is the SHA-256 of `document`, `return_` its RTP with the cap."""

    slot: Slot
    limits: Limits
    return_: tuple[int, int]
    hash: str
    document: bytes = field(repr=False)


def configuration_of(slot: Slot, currency: str, limits: Limits) -> Configuration:
    """The configuration of a slot in a currency with these limits. Amounts are minor units as decimal text.

    It takes a second when a casino's limits are not those of the game's file: the RTP is computed anew.
    """
    game = slot.game
    returned = _return_of(slot, limits)
    content = {
        "gameId": game.game_id,
        "version": game.version,
        "currency": currency,
        "return": returned,
        "minBet": str(limits.min_bet),
        "maxBet": str(limits.max_bet),
        "maxWin": str(limits.max_win),
        "maxX100": X100_MAX,
        "jurisdiction": limits.jurisdiction.name,
        "model": game.model,
        "parHash": slot.par_hash,
    }
    document = msgspec.json.encode(content)
    return Configuration(slot, limits, returned, hashlib.sha256(document).hexdigest(), document)


def _return_of(slot: Slot, limits: Limits) -> tuple[int, int]:
    """The RTP in lowest terms at the largest stake: the cap lowers it the most there."""
    if (limits.max_bet, limits.max_win) == (slot.game.max_bet, slot.game.max_win):
        return slot.sheet.return_
    return _capped_return(slot.game, limits.max_bet, limits.max_win)


@lru_cache(maxsize=KNOWN_MAX)
def _capped_return(game: SlotGame, max_bet: int, max_win: int) -> tuple[int, int]:
    """Computed once for all currencies: it takes long, and players may ask."""
    stake_minor = max_bet - max_bet % 100 or max_bet
    return _payback(game.model).rtp(game, stake_minor=stake_minor, max_win_minor=max_win).as_integer_ratio()


@cache
def _payback(model: SlotModel) -> Payback:
    return payback_of(model)


class Configurations:
    """The configurations in force. Each is stored before a round may name it."""

    def __init__(self, pool: Database) -> None:
        self._pool = pool
        self._stored: dict[tuple[str, str, Limits], Configuration] = {}

    async def stored(
        self, slot: Slot, currency: str, terms: CasinoTerms = STUDIO_TERMS, *, offered: bool = False
    ) -> Configuration:
        """A slot's configuration in a currency under these terms, which is stored now.

        `offered`: only somebody reads the catalogue. Beyond `OFFERED_MAX` nothing is stored for that.
        """
        limits = terms.limits_of(slot, currency)
        key = slot.game.game_id, currency, limits
        known = self._stored.get(key)
        if known is not None:
            return known
        made = await asyncio.to_thread(configuration_of, slot, currency, limits)
        values = {
            "hash": made.hash,
            "game_code": slot.game.game_id,
            "version": slot.game.version,
            "document": made.document,
            "most": OFFERED_MAX if offered else None,
        }
        async with self._pool.connection() as connection:
            await connection.execute(_KEEP, values)
        if not offered and len(self._stored) < KNOWN_MAX:
            self._stored[key] = made
        return made


async def find_document(pool: Database, configuration_hash: str) -> bytes | None:
    """The bytes with this hash, or None."""
    rows = await pool.call(_FIND, (configuration_hash,))
    return bytes(rows[0][0]) if rows else None
