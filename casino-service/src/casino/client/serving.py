"""The guard of routes for a player's own client, and the loop that prunes the rows of client limits."""

from __future__ import annotations

from functools import partial
from typing import Final

from starlette.types import ASGIApp

from casino.client.access_token import read_access_token
from casino.client.guard import PlayerGuard
from casino.client.limits import ClientLimits
from casino.errors import ERRORS
from casino.settings import Settings
from shared_service.http.admission import Admission
from shared_service.http.authentication import Guard
from shared_service.http.exchange import RenderErrors
from shared_service.run.loops import BackgroundLoop

PRUNE_SECONDS: Final = 30.0


def player_guard(settings: Settings, admission: Admission) -> Guard:
    """The guard of routes for a player's client. In demo mode no access token is required."""
    read_token = None if settings.demo else partial(read_access_token, keys=settings.access_token_keys)
    calls_max = settings.client_burst_calls

    def guard(app: ASGIApp) -> ASGIApp:
        guarded = PlayerGuard(app, admission=admission, read_token=read_token, calls_at_once_max=calls_max)
        return RenderErrors(guarded, errors=ERRORS)

    return guard


def loops(limits: ClientLimits) -> list[BackgroundLoop]:
    """The loop that prunes."""
    return [BackgroundLoop("client_limits", limits.prune, interval_seconds=PRUNE_SECONDS)]
