"""Serves POST /provider/simulate in demo mode: reads which script and which seed, and plays the round."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from provider.errors import Refused
from provider.outbox.books import NotRecorded
from provider.outbox.serving import MoneyCalls
from provider.rounds.mixed import MixedRound
from provider.rounds.round_play import RoundPlay
from provider.rounds.scripted import ScriptedRound
from provider.sessions.launch import OpenSession, open_session
from provider.sessions.sealing import Sealer
from provider.settings import Settings
from provider.wallet_client.client import WalletClient
from provider.wire import json_answer, read_request
from shared_service.http.exchange import request_id
from shared_service.http.routing import SIGNED, Route, Share, route
from shared_service.postgres.database import Database

NINE_STEPS: Final = "nine_steps"
MIXED: Final = "mixed"
SEED_BITS: Final = 63

_REFUSALS: Final[Mapping[str, str]] = MappingProxyType(
    {"session_busy": "session_busy", "session_stopped": "session_expired", "session_not_found": "session_not_found"}
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which round a request asks for. Of a mixed one without a seed nobody can foretell what happens."""

    script: str
    seed: int


def read_wanted(members: Mapping[str, Any]) -> Wanted:
    """The script and the seed in a body. Raises `invalid_field`."""
    script, seed = members.get("script"), members.get("seed")
    script = NINE_STEPS if script is None else script
    seed = secrets.randbits(SEED_BITS) if seed is None else seed
    if script not in (NINE_STEPS, MIXED):
        raise Refused("invalid_field", field="script")
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**SEED_BITS:
        raise Refused("invalid_field", field="seed")
    return Wanted(script, seed)


def routes(settings: Settings, pool: Database, sealer: Sealer, money: MoneyCalls, wallet: WalletClient) -> list[Route]:
    """POST /provider/simulate in demo mode; nothing outside it, because a simulated round pays.

    At most `rounds_max` rounds run at once. The bound is below the wallet client's connections, so that payouts and
    rollbacks of the outbox find one however many bets are being placed.
    """
    if not settings.demo:
        return []

    def begin(wanted: Wanted, session: OpenSession, request_id: str) -> RoundPlay:
        if wanted.script == MIXED:
            return MixedRound(money.books, money.courier, wallet, session, seed=wanted.seed, request_id=request_id)
        return ScriptedRound(money.books, money.courier, wallet, session, request_id=request_id)

    async def post_simulate(request: Request) -> Response:
        members = read_request(request)
        wanted = read_wanted(members)
        session = await open_session(pool, sealer, own_casino=settings.casino_code, members=members)
        playing = begin(wanted, session, request_id(request.scope))
        try:
            return json_answer(await playing.play(seconds=settings.script_seconds))
        except NotRecorded as refusal:
            raise Refused(_REFUSALS[refusal.code]) from None

    return [route("POST", "/provider/simulate", post_simulate, access=SIGNED, share=Share(settings.rounds_max))]
