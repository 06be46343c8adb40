"""The game sessions of spins. Their tokens are derived, and never stored: any process can ask the provider again."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from casino.api.pepper import mac
from casino.sessions import queries
from casino.sessions.launch import provider_session_of
from casino.sessions.providers import Providers
from casino.settings import Settings
from shared_service.postgres.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class SpinSession:
    """A game session in which a player's spins of one game are played."""

    session_id: uuid.UUID
    provider_id: str
    provider_session_id: str | None
    """None while the provider has not joined it."""
    player_id: str
    game_code: str
    currency: str


@dataclass(frozen=True, slots=True)
class SpinSessions:
    """Derives tokens, and lets providers join sessions."""

    settings: Settings
    database: Database
    providers: Providers

    def token_of(self, session_id: uuid.UUID) -> str:
        """The token of a session: 64 hexadecimal digits, as those that are drawn."""
        return mac(self.settings.pepper, "token of a spin's session", str(session_id)).hex()

    def message_of(self, session: SpinSession) -> dict[str, Any]:
        """What names the session to its provider."""
        return {
            "sessionToken": self.token_of(session.session_id),
            "userId": session.player_id,
            "gameId": session.game_code,
            "currency": session.currency,
            "casinoCode": self.providers.casino_code_of(session.provider_id),
        }

    async def join(self, session: SpinSession, *, request_id: str) -> str:
        """Let the provider join a session, unless it has. A repeated launch joins the same one.

        Returns the provider's id of it. Raises what `ProviderClient.launch` raises.
        """
        if session.provider_session_id is not None:
            return session.provider_session_id
        client = self.providers.client_of(session.provider_id)
        message = {**self.message_of(session), "casinoSessionId": str(session.session_id)}
        provider_session_id = provider_session_of(await client.launch(message, request_id=request_id))
        await self.database.call(
            queries.BIND_SESSION,
            {
                "ledger_id": self.settings.ledger_id,
                "session_id": session.session_id,
                "provider_session_id": provider_session_id,
                "fingerprint": None,  # no client is ever given the token
            },
        )
        return provider_session_id
