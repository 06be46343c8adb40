"""Serves POST /provider/launch, and stops sessions after a day without a round."""

from functools import partial
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import Response

from provider.casinos.registry import Casinos
from provider.catalogue.games import GAMES
from provider.sessions.launch import launch, launch_code, read_launch
from provider.sessions.links import page_url
from provider.sessions.sealing import Sealer
from provider.sessions.tickets import Tickets
from provider.settings import Settings
from provider.wire import json_answer, read_request
from shared_service.http.routing import SIGNED, Route, route
from shared_service.postgres.database import Database
from shared_service.run.loops import BackgroundLoop

log = structlog.get_logger(__name__)

IDLE_SECONDS: Final = 86_400.0
"""48 times the lifetime of a session token."""
STALE_LOOK_SECONDS: Final = 300.0
PAGE_MAX: Final = 500


def routes(settings: Settings, casinos: Casinos, pool: Database, sealer: Sealer, tickets: Tickets) -> list[Route]:
    """POST /provider/launch."""

    async def post_launch(request: Request) -> Response:
        asked = read_launch(read_request(request), casinos.signer_of(request))
        session = await launch(pool, sealer, asked)
        code = await launch_code(pool, tickets, asked, session)
        session_id = str(session.provider_session_id)
        log.info(
            "session_launched", session_id=session_id, casino_code=session.casino_code, user_id=session.user_id,
            game=session.game_code,
        )  # fmt: skip
        game = GAMES[session.game_code]
        return json_answer(
            {
                "providerSessionId": session_id,
                "gameId": session.game_code,
                "currency": session.currency,
                "minBet": str(game.bet_min_minor),
                "maxBet": str(game.bet_max_minor),
                "playerId": str(session.player_id),
                "launchUrl": page_url(settings.public_url, session.casino_code, session.game_code, code=code),
            }
        )

    return [route("POST", "/provider/launch", post_launch, access=SIGNED)]


def loops(pool: Database) -> list[BackgroundLoop]:
    """The loop that stops stale sessions."""
    step = partial(stop_stale_sessions, pool)
    return [BackgroundLoop("stale_sessions", step, interval_seconds=STALE_LOOK_SECONDS)]


async def stop_stale_sessions(pool: Database) -> bool:
    """Stop up to `PAGE_MAX` idle sessions without pending transactions; true when there may be more."""
    async with pool.connection() as connection:
        query = "select provider.stop_stale_sessions(%s, %s)"
        row = await (await connection.execute(query, (IDLE_SECONDS, PAGE_MAX))).fetchone()
    stopped = int(row[0]) if row else 0
    if stopped:
        log.info("stale_sessions_stopped", count=stopped)
    return stopped == PAGE_MAX
