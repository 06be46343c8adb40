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
from shared_service.openapi.fields import Field, Message
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


def read_round_request(members: dict[str, Any]) -> RoundRequest:
    """Read script and seed from a body. Raises `invalid_field`."""
    return RoundRequest(**SIMULATION.read(members))


def _script(members: dict[str, Any], name: str) -> str:
    script = members.get(name)
    if script is None:
        return NINE_STEPS
    if script not in (NINE_STEPS, MIXED):
        raise Refused("invalid_field", field=name)
    return str(script)


def _seed(members: dict[str, Any], name: str) -> int:
    seed = members.get(name)
    if seed is None:
        return secrets.randbits(SEED_BITS)
    if type(seed) is not int or not 0 <= seed < 2**SEED_BITS:
        raise Refused("invalid_field", field=name)
    return seed


SIMULATION: Final = Message(
    "Simulation",
    (
        Field("script", "script", _script, {"enum": [NINE_STEPS, MIXED, None]}, False),
        Field("seed", "seed", _seed, {"type": ["integer", "null"], "minimum": 0, "maximum": 2**SEED_BITS - 1}, False),
    ),
)
"""A simulated round, beside the members that name its session."""


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
