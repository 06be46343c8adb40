"""POST /provider/launch.

Owns the shape of the answer. It must never be reachable without the signature check in front of it.
"""

import structlog
from starlette.requests import Request
from starlette.responses import Response

from provider.db import Pool
from provider.sessions.catalogue import GAMES
from provider.sessions.launch import launch, read_launch
from provider.sessions.sealing import Sealer
from provider.wire import json_answer, read_request
from shared_service.routing import SIGNED, Route, route

log = structlog.get_logger(__name__)


def session_routes(pool: Pool, sealer: Sealer) -> list[Route]:
    """The routes of this slice."""

    async def post_launch(request: Request) -> Response:
        session = await launch(pool, sealer, read_launch(await read_request(request)))
        session_id = str(session.provider_session_id)
        log.info("session_launched", session_id=session_id, user_id=session.user_id, game=session.game_code)
        game = GAMES[session.game_code]
        return json_answer(
            {
                "providerSessionId": session_id,
                "gameId": session.game_code,
                "currency": session.currency,
                "minBet": str(game.bet_min_minor),
                "maxBet": str(game.bet_max_minor),
                "playerId": str(session.player_id),
            }
        )

    return [route("POST", "/provider/launch", post_launch, access=SIGNED)]
