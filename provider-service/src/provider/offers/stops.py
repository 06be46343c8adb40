"""Stopped games: an operator of the studio stops a game with a reason, and every process reads that each second.

A stopped game takes no new round. Rounds that run, repetitions and recall go on.
"""

from collections.abc import Mapping
from typing import Final

from provider.errors import Refused
from shared_service.postgres.database import Database

READ_SECONDS: Final = 1.0
_READ: Final = "select game_code, reason from provider.game_stops"


class Stops:
    """The stops that are known to this process. Without its database it keeps those that it knew."""

    def __init__(self, pool: Database) -> None:
        self._pool = pool
        self.reasons: Mapping[str, str] = {}

    async def step(self) -> bool:
        """Read them anew; for a background loop, always false."""
        self.reasons = dict(await self._pool.call(_READ, ()))
        return False

    def require_running(self, game_code: str) -> None:
        """Raises `play_stopped` with the reason, which the player may read."""
        reason = self.reasons.get(game_code)
        if reason is not None:
            raise Refused("play_stopped", sentence=reason, extras={"playerMessage": reason})
