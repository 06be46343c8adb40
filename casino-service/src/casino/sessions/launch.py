"""Launches a game: opens the casino's session, then the provider's. Also finds an open session by its token."""

from __future__ import annotations

import re
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode, urlsplit, urlunsplit

import structlog

from casino.client.fingerprint import fingerprint
from casino.errors import Refused
from casino.sessions import queries
from casino.sessions.provider_client import ProviderUnreachable
from casino.sessions.providers import Providers
from casino.wallet.commands import token_hash
from shared_service.http import decoding
from shared_service.postgres.database import Database

log = structlog.get_logger()

SESSION_TOKEN_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchRequest:
    """A launch: the player, the game, and the client's country and address if the operator sends them."""

    player_id: str
    game_id: str
    country: str | None
    client_address: str | None
    request_id: str
    tenant_id: str | None = None
    """The player's tenant; None for a player whom the ledger does not know."""
    traits: bytes = field(repr=False)
    """The input of the client's fingerprint, see `traits_of`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GameSession:
    """A launched session. Money in minor units."""

    session_token: str
    provider_id: str
    provider_session_id: str
    launch_url: str | None
    """The page's address in the provider's words; None when its answer has none."""
    player_id: str
    game_id: str
    game_code: str
    currency: str
    balance_minor: int
    stake_min_minor: int
    stake_max_minor: int
    expires_at: datetime


LAUNCH_URL_MAX: Final = 2_048
_URL: Final = re.compile(r"https?://[!-~]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class EnteredSession:
    """An open session that the player's client named."""

    session_token: str = field(repr=False)
    provider_id: str
    provider_session_id: str
    player_id: str
    game_code: str
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Launcher:
    """Opens the game sessions of one ledger, and finds open ones.

    `casino_code` is the casino's name at the provider.
    """

    database: Database
    providers: Providers
    ledger_id: int

    async def launch(self, request: LaunchRequest) -> GameSession:
        """Open a session at the casino and at the game's provider.

        Raises Refused: the code of the casino's refusal, `provider_rejected` for a signed refusal of the provider, or
        `provider_unreachable` without a usable answer of the provider. The session is then closed.
        """
        session_id = uuid.uuid4()
        session_token = secrets.token_hex(SESSION_TOKEN_BYTES)
        rows = await self.database.call(
            queries.OPEN_SESSION,
            {
                "ledger_id": self.ledger_id,
                "tenant_id": request.tenant_id,
                "player_id": request.player_id,
                "game_id": request.game_id,
                "session_id": session_id,
                "token_hash": bytes.fromhex(token_hash(session_token)),
                "country": request.country,
                "client_address": request.client_address,
                "live_providers": self.providers.with_room(),
            },
        )
        code, provider_id, game_code, currency, balance_minor, stake_min_minor, stake_max_minor, expires_at, reason = (
            rows[0]
        )
        if code == "provider_draining" and provider_id in self.providers.live():
            raise Refused("overloaded")
        if code is not None:
            raise Refused(code, sentence=reason)
        provider_session_id, page = await self._join(
            session_id,
            provider_id,
            {
                "sessionToken": session_token,
                "casinoSessionId": str(session_id),
                "userId": request.player_id,
                "gameId": game_code,
                "currency": currency,
                "casinoCode": self.providers.casino_code_of(provider_id),
            },
            request.request_id,
            fingerprint(session_token, request.traits),
        )
        log.info("game_launched", session_id=str(session_id), game=game_code, peer=provider_id)
        return GameSession(
            session_token=session_token,
            provider_id=provider_id,
            provider_session_id=provider_session_id,
            launch_url=page,
            player_id=request.player_id,
            game_id=request.game_id,
            game_code=game_code,
            currency=currency,
            balance_minor=balance_minor,
            stake_min_minor=stake_min_minor,
            stake_max_minor=stake_max_minor,
            expires_at=expires_at,
        )

    async def enter_session(self, session_token: str, request: LaunchRequest) -> EnteredSession:
        """Returns the open session of this token. Raises Refused. A session used by another client is closed."""
        rows = await self.database.call(
            queries.ENTER_SESSION,
            {
                "ledger_id": self.ledger_id,
                "tenant_id": None,  # the session says whose it is
                "player_id": request.player_id,
                "game_id": request.game_id,
                "token_hash": bytes.fromhex(token_hash(session_token)),
                "fingerprint": fingerprint(session_token, request.traits),
            },
        )
        code, session_id, provider_session_id, game_code, currency = rows[0]
        if code == "session_fingerprint_mismatch":
            log.warning("session_used_elsewhere", session_id=str(session_id), player_id=request.player_id)
        if code is not None:
            raise Refused(code)
        found = await self.database.call(queries.PROVIDER_OF_SESSION, (self.ledger_id, session_id))
        return EnteredSession(
            session_token=session_token,
            provider_id=found[0][0],
            provider_session_id=provider_session_id,
            player_id=request.player_id,
            game_code=game_code,
            currency=currency,
        )

    async def _join(
        self,
        session_id: uuid.UUID,
        provider_id: str,
        message: dict[str, Any],
        request_id: str,
        client_fingerprint: bytes,
    ) -> tuple[str, str | None]:
        try:
            provider = self.providers.client_of(provider_id)
            answer = await provider.launch(message, request_id=request_id)
            provider_session_id = provider_session_of(answer)
        except (ProviderUnreachable, Refused) as error:
            await self.database.call(queries.CLOSE_SESSION, (self.ledger_id, session_id))
            raise Refused(error.code if isinstance(error, Refused) else "provider_unreachable") from None
        except Exception:
            # A session that the provider did not join must not stay open, whatever the error is.
            await self.database.call(queries.CLOSE_SESSION, (self.ledger_id, session_id))
            raise
        await self.database.call(
            queries.BIND_SESSION,
            {
                "ledger_id": self.ledger_id,
                "session_id": session_id,
                "provider_session_id": provider_session_id,
                "fingerprint": client_fingerprint,
            },
        )
        return provider_session_id, launch_url_in(answer)


def provider_session_of(answer: dict[str, Any]) -> str:
    """Returns the provider's session id in its answer to a launch. Raises ProviderUnreachable."""
    try:
        return decoding.identifier(answer, "providerSessionId")
    except Refused as refused:
        log.warning("provider_answer_malformed", path="/provider/launch", field=refused.field)
        raise ProviderUnreachable("its answer names no session") from None


def launch_url_in(answer: dict[str, Any]) -> str | None:
    """Returns the page's address in the answer to a launch, which is handed on unchanged; None without one."""
    url = answer.get("launchUrl")
    return url if isinstance(url, str) and len(url) <= LAUNCH_URL_MAX and _URL.fullmatch(url) else None


def launch_url(game_url: str, session: GameSession) -> str:
    """Returns the URL of the game for the player's browser. It contains no token of the wallet, as URLs are logged."""
    parts = urlsplit(game_url)
    own = urlencode({"gameId": session.game_code, "session": session.provider_session_id})
    return urlunsplit(parts._replace(query=f"{parts.query}&{own}" if parts.query else own))
