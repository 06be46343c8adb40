"""Keeps the server seeds of players: 32 random bytes, sealed at rest, whose hash is stored before their first use."""

import secrets
import uuid
from dataclasses import dataclass, field

from provider.games.fairness.draws import SEED_BYTES, SeededSource, seed_hash
from provider.sessions.sealing import Sealer
from provider.spins.queries import StoredSeed, seed_in_use, take_seed
from shared_service.postgres.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSeed:
    """The seed in use, and the counter of its next draw."""

    seed_id: uuid.UUID
    counter: int
    secret: bytes = field(repr=False)
    client_seed: str | None = None

    def source(self, client_seed: str) -> SeededSource:
        """The random numbers of the next draw."""
        return SeededSource(self.secret, client_seed, self.counter)


async def seed_for(
    pool: Database, sealer: Sealer, *, player_id: int, game_code: str, known: StoredSeed | None = None
) -> ServerSeed:
    """The seed that a player uses in a game; a new one before the first spin. Raises `SealBroken`.

    `known`: the seed as it was read a moment ago.
    """
    stored = known or await seed_in_use(pool, player_id, game_code)
    if stored is None:
        sealed, sha256 = new_seed(sealer)
        stored = await take_seed(pool, player_id, game_code, seed_id=uuid.uuid4(), sealed=sealed, sha256=sha256)
    secret = bytes.fromhex(sealer.open(bytes(stored.seed_sealed)))
    return ServerSeed(
        seed_id=stored.seed_id, counter=stored.next_counter, secret=secret, client_seed=stored.client_seed
    )


def new_seed(sealer: Sealer) -> tuple[bytes, str]:
    """A new secret, sealed, and its hash."""
    secret = secrets.token_bytes(SEED_BYTES)
    return sealer.seal(secret.hex()), seed_hash(secret)
