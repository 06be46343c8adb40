"""POST /provider/simulate.

Owns the way from a request to a scripted round. It must never be reachable without the signature check in front of it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from provider.db import Pool
from provider.errors import ProviderError
from provider.outbox.books import Books, NotRecorded
from provider.outbox.courier import Courier
from provider.request_id import request_id_of
from provider.rounds.scripted import ScriptedRound
from provider.sessions.launch import open_session
from provider.sessions.sealing import Sealer
from provider.wallet_client.client import WalletClient
from provider.wire import json_answer, read_request

_REFUSALS: Final[Mapping[str, str]] = MappingProxyType(
    {"session_busy": "session_busy", "session_stopped": "session_expired", "session_not_found": "session_not_found"}
)


def round_routes(
    pool: Pool, sealer: Sealer, books: Books, courier: Courier, wallet: WalletClient, *, script_seconds: float
) -> list[Route]:
    """The routes of this slice."""

    async def post_simulate(request: Request) -> Response:
        session = await open_session(pool, sealer, await read_request(request))
        scripted = ScriptedRound(books, courier, wallet, session, request_id=request_id_of(request.scope))
        try:
            return json_answer(await scripted.play(seconds=script_seconds))
        except NotRecorded as refusal:
            raise ProviderError(_REFUSALS[refusal.code]) from None

    return [Route("/provider/simulate", post_simulate, methods=["POST"])]
