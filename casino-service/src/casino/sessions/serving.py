"""Serves launchGame and simulateRound for a player's client, and closes expired sessions."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from casino.client.access_token import AccessToken
from casino.client.address import client_address
from casino.client.fingerprint import traits_of
from casino.client.guard import PLAYER
from casino.client.limits import ClientLimits
from casino.errors import Refused
from casino.sessions.expiry import EXPIRY_CHECK_SECONDS, ExpiredSessions
from casino.sessions.launch import EnteredSession, GameSession, Launcher, LaunchRequest, launch_url
from casino.sessions.provider_client import CONNECTIONS_MAX, ProviderUnreachable
from casino.sessions.providers import Providers
from casino.settings import Settings
from shared_service.http import decoding
from shared_service.http.exchange import json_body, request_id
from shared_service.http.routing import Route, Share, route
from shared_service.postgres.database import Database
from shared_service.run.loops import BackgroundLoop

CREATED: Final = 201
CALLS_MAX: Final = CONNECTIONS_MAX * 3 // 2
"""Calls to all providers at once: one provider that is slow leaves a third to the others."""
_encode = msgspec.json.Encoder().encode


def launcher_of(settings: Settings, database: Database, providers: Providers) -> Launcher:
    """Builds the launcher."""
    return Launcher(database=database, providers=providers, ledger_id=settings.ledger_id)


def routes(settings: Settings, launcher: Launcher, limits: ClientLimits) -> list[Route]:
    """POST /casino/launchGame, and POST /casino/simulateRound in demo mode only, because a simulated round pays.

    Outside demo mode there is no launch without keys of access tokens.

    Each call waits for a provider, so `CALLS_MAX` bounds how many run at once.
    """
    endpoints, share = _Endpoints(settings, launcher, limits), Share(CALLS_MAX)
    launch = route("POST", "/casino/launchGame", endpoints.launch_game, access=PLAYER, share=share)
    simulate = route("POST", "/casino/simulateRound", endpoints.simulate_round, access=PLAYER, share=share)
    if settings.demo:
        return [launch, simulate]
    return [launch] if settings.access_token_keys else []


def loops(settings: Settings, database: Database) -> list[BackgroundLoop]:
    """The loop that closes expired sessions."""
    step = ExpiredSessions(database, settings.ledger_id).close_some
    return [BackgroundLoop("expired_sessions", step, interval_seconds=EXPIRY_CHECK_SECONDS)]


async def close(launcher: Launcher) -> None:
    """Close the connections to the providers."""
    await launcher.providers.close()


@dataclass(frozen=True, slots=True)
class _Endpoints:
    """The two endpoints."""

    settings: Settings
    launcher: Launcher
    limits: ClientLimits

    async def launch_game(self, request: Request) -> Response:
        wanted, _ = await self._read(request, may_name_session=False)
        session = await self.launcher.launch(wanted)
        # The session token is known to the two services only, except in demo mode.
        token = {"sessionToken": session.session_token} if self.settings.demo else {}
        return _json(
            {
                **token,
                "providerSessionId": session.provider_session_id,
                "launchUrl": session.launch_url
                or launch_url(self.launcher.providers.game_url_of(session.provider_id), session),
                "gameId": session.game_id,
                "currency": session.currency,
                "balance": str(session.balance_minor),
                "minBet": str(session.stake_min_minor),
                "maxBet": str(session.stake_max_minor),
                "expiresAt": session.expires_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            },
            CREATED,
        )

    async def simulate_round(self, request: Request) -> Response:
        wanted, entered = await self._read(request, may_name_session=True)
        session = entered or await self.launcher.launch(wanted)
        providers, provider_id = self.launcher.providers, session.provider_id
        try:
            report = await providers.client_of(provider_id).simulate(
                _simulation_of(session, providers.casino_code_of(provider_id)), request_id=wanted.request_id
            )
        except ProviderUnreachable:
            raise Refused("provider_unreachable") from None
        return _json(report)

    async def _read(self, request: Request, *, may_name_session: bool) -> tuple[LaunchRequest, EnteredSession | None]:
        """Returns the client's request and the session that it names, or None. Raises Refused, also by the limits."""
        content = decoding.decode_object(json_body(request.scope))
        access: AccessToken | None = request.state.access
        if access is not None and decoding.optional_identifier(content, "userId") not in (None, access.player_id):
            raise Refused("session_player_mismatch")
        player_id = access.player_id if access else decoding.identifier(content, "userId")
        issued_at = access.issued_at if access else None
        wanted = LaunchRequest(
            player_id=player_id,
            game_id=decoding.identifier(content, "gameId"),
            country=decoding.optional_identifier(content, "country"),
            client_address=_address(content),
            request_id=request_id(request.scope),
            traits=traits_of(
                client_address(request.scope, self.settings.trusted_proxies), request.headers.get("user-agent")
            ),
        )
        session_token = decoding.optional_identifier(content, "sessionToken") if may_name_session else None
        tenant_id = await self.limits.take_token(player_id, issued_at=issued_at)
        wanted = replace(wanted, tenant_id=tenant_id)
        entered = None
        if session_token is not None:
            # Before the access token, so that a session used by another client is closed in any case.
            entered = await self.launcher.enter_session(session_token, wanted)
        if access is not None and tenant_id is not None:
            await self.limits.check_access_token(access, wanted.traits, tenant_id=tenant_id)
        return wanted, entered


def _simulation_of(session: GameSession | EnteredSession, casino_code: str) -> dict[str, Any]:
    return {
        "sessionToken": session.session_token,
        "providerSessionId": session.provider_session_id,
        "userId": session.player_id,
        "gameId": session.game_code,
        "currency": session.currency,
        "casinoCode": casino_code,
    }


def _address(content: dict[str, Any]) -> str | None:
    text = decoding.optional_identifier(content, "ipAddress")
    if text is None:
        return None
    try:
        if "%" not in text:  # a zone names a network interface of one machine; Postgres cannot store it
            return str(ipaddress.ip_address(text))
    except ValueError:
        pass
    raise Refused("invalid_field", field="ipAddress")


def _json(content: dict[str, Any], status: int = 200) -> Response:
    return Response(_encode(content), status, media_type="application/json")
