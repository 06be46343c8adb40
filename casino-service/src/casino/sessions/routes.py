"""The endpoints that a player's client calls, launchGame and simulateRound: who may call them, and what they answer."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from casino import decoding
from casino.errors import Refused
from casino.http import read_body, request_id
from casino.players.access_token import player_of
from casino.sessions.launch import GameSession, Launcher, LaunchRequest, launch_url
from casino.sessions.provider_client import ProviderUnreachable
from casino.settings import Settings

CREATED: Final = 201
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class ClientEndpoints:
    """What the endpoints work with."""

    launcher: Launcher
    settings: Settings

    def routes(self) -> Sequence[BaseRoute]:
        """The routes of this slice."""
        return [
            Route("/casino/launchGame", self._launch_game, methods=["POST"]),
            Route("/casino/simulateRound", self._simulate_round, methods=["POST"]),
        ]

    async def _launch_game(self, request: Request) -> Response:
        session = await self.launcher.launch(await self._read(request))
        return _json(
            {
                "sessionToken": session.session_token,
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
        wanted = await self._read(request)
        session = await self.launcher.launch(wanted)
        try:
            report = await self.launcher.provider.simulate(
                _simulation_of(session, self.launcher.tenant_id), request_id=wanted.request_id
            )
        except ProviderUnreachable:
            raise Refused("provider_unreachable") from None
        return _json(report)

    async def _read(self, request: Request) -> LaunchRequest:
        content = decoding.decode_object(await read_body(request.scope, request.receive))
        if self.settings.demo:
            player_id = decoding.identifier(content, "userId")
        else:
            player_id = player_of(request.headers.get("authorization"), self.settings.access_token_secret)
        return LaunchRequest(
            player_id=player_id,
            game_id=decoding.identifier(content, "gameId"),
            country=decoding.optional_identifier(content, "country"),
            client_address=_address(content),
            request_id=request_id(request.scope),
        )


def _simulation_of(session: GameSession, casino_code: str) -> dict[str, Any]:
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
