"""Serves GET /v1/merchants/{casinoId}/rtp: the versions of the games in force for a casino, and what they pay back.

For the casino itself, by its signature, and for its players, by their play tokens: no rival's business.
"""

from fractions import Fraction
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from provider.casinos.registry import Casinos
from provider.catalogue.games import GAMES
from provider.errors import Refused
from provider.games.slots.rtp import decimals
from provider.offers.configurations import Configurations
from provider.play.guard import player_of
from provider.spins.answers import ConfigurationName
from provider.wire import CURRENCY, json_answer
from shared_service.http.authentication import Guard
from shared_service.http.routing import Route, route
from shared_service.postgres.database import Database

SIGNED_OR_PLAY: Final = "signed or play"
"""The access of a route for a casino and its players."""


class GameReturn(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a game pays back, with the casino's cap. `return_`: in lowest terms."""

    game_id: str
    version: int
    rtp: str
    return_: list[int] = msgspec.field(name="return")
    configuration: ConfigurationName


class Returns(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The versions in force for a casino in a currency."""

    casino_id: str
    currency: str
    games: list[GameReturn]


def either(header_name: str, signed: Guard, *, play: Guard) -> Guard:
    """A guard that asks for a signature where the request has its header, and else for a play token."""
    name = header_name.encode()

    def guard(app: ASGIApp) -> ASGIApp:
        by_signature, by_token = signed(app), play(app)

        async def choose(scope: Scope, receive: Receive, send: Send) -> None:
            has_signature = any(each == name for each, _ in scope["headers"])
            await (by_signature if has_signature else by_token)(scope, receive, send)

        return choose

    return guard


def routes(pool: Database, casinos: Casinos) -> list[Route]:
    """GET /v1/merchants/{casino_id}/rtp."""
    configurations = Configurations(pool)

    async def get_returns(request: Request) -> Response:
        casino_code, state = request.path_params["casino_id"], request.scope["state"]
        own = player_of(request).session.casino_code if "player" in state else casinos.signer_of(request).code
        casino = casinos.of(own)
        if casino is None or own != casino_code:
            raise Refused("not_found", sentence="There is no such casino.")
        currency = request.query_params.get("currency", "")
        if CURRENCY.fullmatch(currency) is None:
            raise Refused("invalid_field", field="currency")
        games = []
        for slot in (game.slot for game in GAMES.values() if game.slot is not None):
            made = await configurations.stored(slot, currency, casino.terms, offered=True)
            games.append(
                GameReturn(
                    game_id=slot.game.game_id,
                    version=slot.game.version,
                    rtp=decimals(Fraction(*made.return_)),
                    return_=[*made.return_],
                    configuration=ConfigurationName(slot.game.version, made.hash),
                )
            )
        return json_answer(Returns(casino_id=own, currency=currency, games=games))

    return [route("GET", "/v1/merchants/{casino_id}/rtp", get_returns, access=SIGNED_OR_PLAY, query=("currency",))]
