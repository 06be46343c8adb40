"""Limits of a player's own client: how often it may call, and from where its access token may be used.

Signed callbacks have no such limit: a credit or a rollback must always get through.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import structlog

from casino.client import queries
from casino.client.access_token import AccessToken
from casino.client.fingerprint import fingerprint
from casino.errors import Refused
from casino.settings import Settings
from casino.wallet.commands import token_hash
from shared_service.postgres.database import Database

log = structlog.get_logger()

PRUNE_PAGE: Final = 1_000
PRUNE_PAGES_MAX: Final = 20
FORGOTTEN_AFTER_SECONDS: Final = 600
"""How long a token's fingerprint is kept after the token's end: longer than clocks may differ."""


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """The limits of one ledger's clients. SQL functions decide."""

    database: Database
    settings: Settings

    async def take_token(self, player_id: str, *, issued_at: int | None) -> str | None:
        """Count one call of a player's client. Returns the player's tenant, None for an unknown player.

        `issued_at` is of its access token, in unix seconds; None without one.
        Raises Refused: access_token_invalid when the token is revoked, rate_limited with the seconds to wait.
        """
        rows = await self.database.call(
            queries.COUNT_CLIENT_CALL,
            {
                "ledger_id": self.settings.ledger_id,
                "player_id": player_id,
                "burst": self.settings.client_burst_calls,
                "per_second": self.settings.client_calls_per_second,
                "issued_at": issued_at,
            },
        )
        tenant_id, is_revoked, wait_seconds = rows[0]
        if is_revoked:
            raise Refused("access_token_invalid", why="revoked")
        if wait_seconds:  # null for an unknown player: the launch reports player_not_found
            raise Refused("rate_limited", retry_after_seconds=math.ceil(wait_seconds))
        return None if tenant_id is None else str(tenant_id)

    async def check_access_token(self, access: AccessToken, traits: bytes, *, tenant_id: str) -> None:
        """Raises Refused(session_fingerprint_mismatch) when the token was first used by another network or browser."""
        rows = await self.database.call(
            queries.CHECK_ACCESS,
            (
                tenant_id,
                bytes.fromhex(token_hash(access.token)),
                fingerprint(access.token, traits),
                access.expires_at + FORGOTTEN_AFTER_SECONDS,
            ),
        )
        if not rows[0][0]:
            log.warning("access_token_used_elsewhere", player_id=access.player_id)
            raise Refused("session_fingerprint_mismatch")

    async def prune(self) -> int:
        """Delete rate-limit buckets that are full again, and fingerprints of ended tokens, in pages.

        Returns the larger of both numbers of rows, added up over the pages.
        """
        gone = 0
        for _ in range(PRUNE_PAGES_MAX):
            rows = await self.database.call(queries.PRUNE_CLIENT_LIMITS, (PRUNE_PAGE,))
            gone += int(rows[0][0])
            if rows[0][0] < PRUNE_PAGE:
                break
        return gone
