"""Leads to game pages: the redirect of GET /v1/launch, and the address of a page, which names one game and casino."""

from html import escape
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from provider.casinos.registry import Casinos
from provider.catalogue.games import GAMES
from provider.errors import Refused
from provider.offers.serving import CASINO_CODE, DEFAULT_CASINO
from provider.offers.stops import Stops
from provider.sessions.links import page_url
from provider.settings import Settings
from shared_service.http.routing import ANY_QUERY, PUBLIC, Route, route
from shared_service.keys.peers import Status

OWN_PARAMETERS: Final = frozenset({"gameId", "casino"})
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title></head><body><main data-status="{status}"><h1>{title}</h1><p>{text}</p></main></body></html>
"""


def routes(settings: Settings, casinos: Casinos, stops: Stops) -> list[Route]:
    """GET /v1/launch and GET /play/{casino_code}/{game_id}."""

    async def get_launch(request: Request) -> Response:
        query = request.query_params
        for name in OWN_PARAMETERS:
            if len(query.getlist(name)) > 1:
                raise Refused("invalid_field", field=name)
        casino_code, game_code = query.get("casino", DEFAULT_CASINO), query.get("gameId")
        if game_code is None:
            raise Refused("invalid_field", field="gameId")
        if CASINO_CODE.fullmatch(casino_code) is None:
            raise Refused("invalid_field", field="casino")
        if _playable(game_code) is None:
            raise Refused("game_not_found")
        others = [(name, value) for name, value in query.multi_items() if name not in OWN_PARAMETERS]
        url = page_url(settings.public_url, casino_code, game_code, query=others)
        return RedirectResponse(url, 302, headers={"cache-control": "no-store"})

    async def get_page(request: Request) -> Response:
        """Only the game that the address names. Another one, or none, is a page that says so."""
        casino = casinos.of(request.path_params["casino_code"])
        name = _playable(request.path_params["game_id"])
        embed = () if casino is None else casino.terms.embed
        if casino is None or name is None:
            return _page(404, "There is no such game", "The address names no game of this studio.", embed)
        reason = stops.reasons.get(request.path_params["game_id"])
        if reason is not None or casino.status is not Status.LIVE:
            text = reason or "It is being maintained. Please come back later."
            return _page(423, f"{name} is paused", text, embed)
        return _page(200, name, "This game has no page yet.", embed)

    return [
        route("GET", "/v1/launch", get_launch, access=PUBLIC, query=ANY_QUERY),
        route("GET", "/play/{casino_code}/{game_id}", get_page, access=PUBLIC, query=ANY_QUERY),
    ]


def page_headers(embed: tuple[str, ...]) -> dict[str, str]:
    """The headers of a page that only these origins may embed. Nothing of its address reaches another server."""
    ancestors = " ".join(embed) or "'none'"
    return {
        "content-security-policy": f"default-src 'none'; frame-ancestors {ancestors}",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
    }


def _playable(game_code: str) -> str | None:
    """The name of a game that has a page, or None."""
    game = GAMES.get(game_code)
    return None if game is None or game.slot is None else game.slot.game.name


def _page(status: int, title: str, text: str, embed: tuple[str, ...]) -> Response:
    content = _PAGE.format(title=escape(title), text=escape(text), status=status)
    return Response(content, status, media_type="text/html", headers=page_headers(embed))
