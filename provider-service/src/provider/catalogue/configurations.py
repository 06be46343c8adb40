"""The configuration of a game in a currency: what rules a round, as bytes with a hash.

A round stores the hash. Whoever has the hash finds the bytes at GET /v1/configurations/{hash}, for ever.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final

import msgspec

from provider.catalogue.games import Slot
from provider.games.slots.model import X100_MAX
from shared_service.postgres.database import Database

KNOWN_MAX: Final = 1000
"""Configurations that a process remembers."""
OFFERED_MAX: Final = 100
"""Configurations of a version of a game that are stored because somebody read the catalogue."""
JURISDICTION: Final = "default"
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
    """A slot in one currency. `hash` is the SHA-256 of `document`."""

    slot: Slot
    hash: str
    document: bytes = field(repr=False)


def configuration_of(slot: Slot, currency: str) -> Configuration:
    """The configuration of a slot in a currency. Amounts are minor units as decimal text."""
    game = slot.game
    content = {
        "gameId": game.game_id,
        "version": game.version,
        "currency": currency,
        "return": slot.sheet.return_,
        "minBet": str(game.min_bet),
        "maxBet": str(game.max_bet),
        "maxWin": str(game.max_win),
        "maxX100": X100_MAX,
        "jurisdiction": JURISDICTION,
        "model": game.model,
        "parHash": slot.par_hash,
    }
    document = msgspec.json.encode(content)
    return Configuration(slot, hashlib.sha256(document).hexdigest(), document)


class Configurations:
    """The configurations in force. Each is stored before a round may name it."""

    def __init__(self, pool: Database) -> None:
        self._pool = pool
        self._stored: dict[tuple[str, str], str] = {}

    async def hash_of(self, slot: Slot, currency: str, *, offered: bool = False) -> str:
        """The hash of a slot's configuration in a currency, which is stored now.

        `offered`: only somebody reads the catalogue. Beyond `OFFERED_MAX` nothing is stored for that.
        """
        key = slot.game.game_id, currency
        known = self._stored.get(key)
        if known is not None:
            return known
        made = configuration_of(slot, currency)
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
            self._stored[key] = made.hash
        return made.hash


async def find_document(pool: Database, configuration_hash: str) -> bytes | None:
    """The bytes with this hash, or None."""
    rows = await pool.call(_FIND, (configuration_hash,))
    return bytes(rows[0][0]) if rows else None
