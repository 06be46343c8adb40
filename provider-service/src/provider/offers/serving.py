"""Serves the studio's games to everybody: the catalogue, configurations and PAR sheets."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from provider.catalogue.games import GAMES, Slot
from provider.errors import Refused
from provider.offers.configurations import Configurations, find_document
from provider.offers.stops import Stops
from provider.wire import CURRENCY, json_answer
from shared_service.http.routing import PUBLIC, Route, route
from shared_service.postgres.database import Database

CASINO_CODE: Final = re.compile(r"[0-9A-Za-z._-]{1,64}")
HASH: Final = re.compile(r"[0-9a-f]{64}")
DEFAULT_CASINO: Final = "JAQPOT"
DEFAULT_CURRENCY: Final = "USD"
LOOKS_MAX: Final = 2
"""Questions that use a database connection at once: anybody may ask, and bets come first."""
KNOWN_MAX: Final = 1000
"""Entries and documents that a process keeps in memory."""


def routes(pool: Database, stops: Stops) -> list[Route]:
    """GET /v1/games, /v1/games/{game_id}/par and /v1/configurations/{hash}."""
    catalogue = _Catalogue(pool)

    async def get_games(request: Request) -> Response:
        casino_code = _parameter(request, "casino", CASINO_CODE, DEFAULT_CASINO)
        currency = _parameter(request, "currency", CURRENCY, DEFAULT_CURRENCY)
        slots = [game.slot for game in GAMES.values() if game.slot is not None]
        hashes = await catalogue.hashes(slots, currency)
        return json_answer(
            {
                "games": [
                    _entry(slot, casino_code, name, enabled=slot.game.game_id not in stops.reasons)
                    for slot, name in zip(slots, hashes, strict=True)
                ]
            }
        )

    async def get_sheet(request: Request) -> Response:
        game = GAMES.get(request.path_params["game_id"])
        if game is None or game.slot is None:
            raise Refused("game_not_found")
        return Response(game.slot.sheet_document, media_type="application/json")

    async def get_configuration(request: Request) -> Response:
        return Response(await catalogue.document(request.path_params["hash"]), media_type="application/json")

    return [
        route("GET", "/v1/games", get_games, access=PUBLIC, query=("casino", "currency")),
        route("GET", "/v1/games/{game_id}/par", get_sheet, access=PUBLIC),
        route("GET", "/v1/configurations/{hash}", get_configuration, access=PUBLIC),
    ]


class _Catalogue:
    """Finds configurations, few at once."""

    def __init__(self, pool: Database) -> None:
        self._pool = pool
        self._configurations = Configurations(pool)
        self._hashes: dict[str, list[str]] = {}
        self._documents: dict[str, bytes] = {}
        self._looking = 0

    async def hashes(self, slots: list[Slot], currency: str) -> list[str]:
        """The hash of each slot's configuration. Raises `overloaded` while others look."""
        known = self._hashes.get(currency)
        if known is None:
            with self._look():
                known = [(await self._configurations.stored(slot, currency, offered=True)).hash for slot in slots]
            if len(self._hashes) < KNOWN_MAX:
                self._hashes[currency] = known
        return known

    async def document(self, configuration_hash: str) -> bytes:
        """The bytes with this hash. Raises `not_found`, and `overloaded` while others look."""
        known = self._documents.get(configuration_hash)
        if known is None and HASH.fullmatch(configuration_hash):
            with self._look():
                known = await find_document(self._pool, configuration_hash)
            if known is not None and len(self._documents) < KNOWN_MAX:
                self._documents[configuration_hash] = known
        if known is None:
            raise Refused("not_found")
        return known

    @contextmanager
    def _look(self) -> Iterator[None]:
        if self._looking >= LOOKS_MAX:
            raise Refused("overloaded")
        self._looking += 1
        try:
            yield
        finally:
            self._looking -= 1


def _entry(slot: Slot, casino_code: str, configuration_hash: str, *, enabled: bool) -> dict[str, Any]:
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
        "enabled": enabled,
        "configuration": {"version": game.version, "hash": configuration_hash},
    }


def _parameter(request: Request, name: str, form: re.Pattern[str], default: str) -> str:
    value = request.query_params.get(name, default)
    if form.fullmatch(value) is None:
        raise Refused("invalid_field", field=name)
    return value
