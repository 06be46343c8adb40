"""Serves the studio's games to everybody: the catalogue, configurations and PAR sheets."""

import re
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from provider.catalogue.configurations import Configurations, configuration_of
from provider.catalogue.games import GAMES, Slot
from provider.errors import Refused
from provider.wire import CURRENCY, json_answer
from shared_service.http.routing import PUBLIC, Route, route

CASINO_CODE: Final = re.compile(r"[0-9A-Za-z._-]{1,64}")
HASH: Final = re.compile(r"[0-9a-f]{64}")
DEFAULT_CASINO: Final = "JAQPOT"
DEFAULT_CURRENCY: Final = "USD"


def routes(configurations: Configurations) -> list[Route]:
    """GET /v1/games, /v1/games/{game_id}/par and /v1/configurations/{hash}."""

    async def get_games(request: Request) -> Response:
        casino_code = _parameter(request, "casino", CASINO_CODE, DEFAULT_CASINO)
        currency = _parameter(request, "currency", CURRENCY, DEFAULT_CURRENCY)
        slots = [game.slot for game in GAMES.values() if game.slot is not None]
        return json_answer({"games": [_entry(slot, casino_code, currency) for slot in slots]})

    async def get_sheet(request: Request) -> Response:
        game = GAMES.get(request.path_params["game_id"])
        if game is None or game.slot is None:
            raise Refused("game_not_found")
        return Response(game.slot.sheet_document, media_type="application/json")

    async def get_configuration(request: Request) -> Response:
        asked = request.path_params["hash"]
        document = await configurations.find(asked) if HASH.fullmatch(asked) else None
        if document is None:
            raise Refused("not_found")
        return Response(document, media_type="application/json")

    return [
        route("GET", "/v1/games", get_games, access=PUBLIC, query=("casino", "currency")),
        route("GET", "/v1/games/{game_id}/par", get_sheet, access=PUBLIC),
        route("GET", "/v1/configurations/{hash}", get_configuration, access=PUBLIC),
    ]


def _entry(slot: Slot, casino_code: str, currency: str) -> dict[str, Any]:
    game = slot.game
    return {
        "gameId": game.game_id,
        "name": game.name,
        "kind": "slot",
        "page": f"/play/{casino_code}/{game.game_id}",
        "rtp": slot.sheet.rtp,
        "volatility": slot.sheet.volatility,
        "minBet": str(game.min_bet),
        "maxBet": str(game.max_bet),
        "maxWin": str(game.max_win),
        "enabled": True,
        "configuration": {"version": game.version, "hash": configuration_of(slot, currency).hash},
    }


def _parameter(request: Request, name: str, form: re.Pattern[str], default: str) -> str:
    value = request.query_params.get(name, default)
    if form.fullmatch(value) is None:
        raise Refused("invalid_field", field=name)
    return value
