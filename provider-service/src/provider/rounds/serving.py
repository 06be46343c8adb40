"""Serves POST /provider/simulate in demo mode: plays the round that the body asks for."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from provider.casinos.registry import Casino, Casinos
from provider.errors import Refused
from provider.outbox.books import NotRecorded
from provider.outbox.serving import MoneyCalls
from provider.rounds.mixed import MixedRound
from provider.rounds.round_play import RoundPlay
from provider.rounds.scripted import ScriptedRound
from provider.sessions.launch import OpenSession, open_session
from provider.sessions.sealing import Sealer
from provider.settings import Settings
from provider.wire import json_answer, read_request
from shared_service.http.exchange import request_id
from shared_service.http.routing import SIGNED, Route, route
from shared_service.postgres.database import Database

NINE_STEPS: Final = "nine_steps"
MIXED: Final = "mixed"
SEED_BITS: Final = 63

_REFUSALS: Final[Mapping[str, str]] = MappingProxyType(
    {"session_busy": "session_busy", "session_stopped": "session_expired", "session_not_found": "session_not_found"}
)


@dataclass(frozen=True, slots=True)
class RoundRequest:
    """The round that a request asks for. The seed is random when the request has none."""

    script: str
    seed: int


def read_round_request(members: Mapping[str, Any]) -> RoundRequest:
    """Read script and seed from a body. Raises `invalid_field`."""
    script, seed = members.get("script"), members.get("seed")
    script = NINE_STEPS if script is None else script
    seed = secrets.randbits(SEED_BITS) if seed is None else seed
    if script not in (NINE_STEPS, MIXED):
        raise Refused("invalid_field", field="script")
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**SEED_BITS:
        raise Refused("invalid_field", field="seed")
    return RoundRequest(script, seed)


def routes(settings: Settings, pool: Database, sealer: Sealer, money: MoneyCalls, casinos: Casinos) -> list[Route]:
    """POST /provider/simulate in demo mode; no route otherwise, because a simulated round pays."""
    if not settings.demo:
        return []

    def begin(asked: RoundRequest, casino: Casino, session: OpenSession, request_id: str) -> RoundPlay:
        books, sender, wallet = money.senders.books, money.senders.of(casino), money.senders.wallets.of(casino)
        if asked.script == MIXED:
            return MixedRound(books, sender, wallet, session, seed=asked.seed, request_id=request_id)
        return ScriptedRound(books, sender, wallet, session, request_id=request_id)

    async def post_simulate(request: Request) -> Response:
        members, casino = read_request(request), casinos.signer_of(request)
        asked = read_round_request(members)
        with money.running.one_of(casino):
            session = await open_session(pool, sealer, signer=casino, members=members)
            playing = begin(asked, casino, session, request_id(request.scope))
            try:
                return json_answer(await playing.play(seconds=settings.script_seconds))
            except NotRecorded as refusal:
                raise Refused(_REFUSALS[refusal.code]) from None

    return [route("POST", "/provider/simulate", post_simulate, access=SIGNED)]
