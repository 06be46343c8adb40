"""The endpoints that a player's client calls, launchGame and simulateRound: who may call them, and what they answer."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from casino.client.access_token import AccessToken
from casino.client.address import client_address
from casino.client.fingerprint import traits_of
from casino.client.guard import PLAYER
from casino.errors import Refused
from casino.sessions.gate import ClientGate, EnteredSession
from casino.sessions.launch import GameSession, Launcher, LaunchRequest, launch_url
from casino.sessions.provider_client import CONNECTIONS_MAX, ProviderUnreachable
from casino.settings import Settings
from shared_service.http import decoding
from shared_service.http.exchange import read_body, request_id
from shared_service.http.routing import Route, Share, route

CREATED: Final = 201
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class ClientEndpoints:
    """What the endpoints work with."""

    launcher: Launcher
    gate: ClientGate
    settings: Settings
    share: Share = field(default_factory=lambda: Share(CONNECTIONS_MAX))
    """Each call holds a connection to the provider: no more calls than there are."""

    def routes(self) -> Sequence[Route]:
        """The routes of this slice. Rounds are simulated in demo mode only: a simulated round pays."""
        launch = route("POST", "/casino/launchGame", self._launch_game, access=PLAYER, share=self.share)
        simulate = route("POST", "/casino/simulateRound", self._simulate_round, access=PLAYER, share=self.share)
        return [launch, simulate] if self.settings.demo else [launch]

    async def _launch_game(self, request: Request) -> Response:
        wanted, _ = await self._read(request, may_name_session=False)
        session = await self.launcher.launch(wanted)
        # The wallet's token stays between the two services; only the demo shows it.
        token = {"sessionToken": session.session_token} if self.settings.demo else {}
        return _json(
            {
                **token,
                "providerSessionId": session.provider_session_id,
                "launchUrl": launch_url(self.settings.game_url, session),
                "gameId": session.game_id,
                "currency": session.currency,
                "balance": str(session.balance_minor),
                "minBet": str(session.stake_min_minor),
                "maxBet": str(session.stake_max_minor),
                "expiresAt": session.expires_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            },
            CREATED,
        )

    async def _simulate_round(self, request: Request) -> Response:
        wanted, entered = await self._read(request, may_name_session=True)
        session = entered or await self.launcher.launch(wanted)
        try:
            report = await self.launcher.provider.simulate(
                _simulation_of(session, self.launcher.tenant_id), request_id=wanted.request_id
            )
        except ProviderUnreachable:
            raise Refused("provider_unreachable") from None
        return _json(report)

    async def _read(self, request: Request, *, may_name_session: bool) -> tuple[LaunchRequest, EnteredSession | None]:
        """What the client wants, and the session in which it wants it if it named one: let through by the gate."""
        content = decoding.decode_object(await read_body(request.scope, request.receive))
        access: AccessToken | None = request.state.access
        if access is not None and decoding.optional_identifier(content, "userId") not in (None, access.player_id):
            raise Refused("session_player_mismatch")
        player_id = access.player_id if access else decoding.identifier(content, "userId")
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
        await self.gate.take_token(player_id, issued_at=access.issued_at if access else None)
        entered = None
        if session_token is not None:
            # Before the access token is looked at: a session that turns up elsewhere is closed either way.
            entered = await self.gate.enter_session(
                session_token, player_id=player_id, game_id=wanted.game_id, traits=wanted.traits
            )
        if access is not None:
            await self.gate.check_access_token(access, wanted.traits)
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
        if "%" not in text:  # a zone names an interface of somebody's machine; Postgres has no place for it
            return str(ipaddress.ip_address(text))
    except ValueError:
        pass
    raise Refused("invalid_field", field="ipAddress")


def _json(content: dict[str, Any], status: int = 200) -> Response:
    return Response(_encode(content), status, media_type="application/json")
