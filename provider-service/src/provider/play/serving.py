"""Serves what a game page calls: start, state, spins, recall, seeds."""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from provider.casinos.registry import Casinos
from provider.errors import CODES_BY_EXCEPTION, ERRORS, Refused
from provider.offers.serving import CASINO_CODE, DEFAULT_CASINO
from provider.offers.stops import Stops
from provider.outbox.serving import MoneyCalls
from provider.play import launching, returns
from provider.play.demo import DemoPlay
from provider.play.guard import PLAY, PlayGuard, Rates, network_of, player_of, user_agent_hash
from provider.play.money import MoneyPlay
from provider.play.queries import DemoSession, prune, use_code
from provider.play.returns import SIGNED_OR_PLAY, either
from provider.play.views import Rounds, Started
from provider.sessions.queries import GameSession, session_by_id
from provider.sessions.sealing import Sealer, seed_sealer_for
from provider.sessions.tickets import DEMO_TOKEN, LAUNCH_CODE, PLAY_TOKEN, Tickets, ticket_hash
from provider.settings import Settings
from provider.spins.serving import ANSWER_MARGIN_SECONDS, SPIN, optional_plain
from provider.spins.spins import Spins
from provider.wire import json_answer, read_request
from shared_service.http.admission import Admission
from shared_service.http.authentication import Guard
from shared_service.http.decoding import decode_object
from shared_service.http.exchange import RenderErrors, read_json_body, remaining_seconds, request_id
from shared_service.http.routing import PUBLIC, Route, Share, route
from shared_service.openapi.fields import Field, Message, flag_field, identifier_field
from shared_service.postgres.database import Database
from shared_service.run.loops import BackgroundLoop

ACCESSES: Final = (PLAY, SIGNED_OR_PLAY)
"""What a route here may ask of its caller, besides a signature."""
STARTS_MAX: Final = 8
"""Starts at once: anybody may ask, and bets come first."""
ROTATIONS_PER_SECOND: Final = 0.1
"""Of one session, after the first ten, in each process: each stores a seed for ever."""
PRUNE_SECONDS: Final = 300.0
PRUNE_MAX: Final = 500
NO_STORE: Final = {"cache-control": "no-store"}

START: Final = Message(
    "StartRequest",
    (
        identifier_field("code", "code", is_required=False, description="From the fragment of the launch URL"),
        identifier_field("gameId", "game_code", description="The page's own game"),
        flag_field("demo", "demo"),
        identifier_field("casino", "casino_code", is_required=False, description="In demo play"),
    ),
)
SPIN_OF_PAGE: Final = Message("PlaySpinRequest", tuple(each for each in SPIN.fields if each.name != "clientSeed"))
SEEDS: Final = Message(
    "SeedsRequest",
    (
        Field("clientSeed", "client_seed", optional_plain, {"type": ["string", "integer", "null"]}, False),
        flag_field("rotate", "rotate"),
    ),
)


@dataclass(frozen=True, slots=True)
class Play:
    """What serves the pages of a process."""

    pool: Database
    tickets: Tickets
    stops: Stops
    money: MoneyPlay
    demo: DemoPlay

    def of(self, session: GameSession | DemoSession) -> Any:
        """What plays in this session."""
        return self.money if isinstance(session, GameSession) else self.demo


def play_of(
    settings: Settings,
    pool: Database,
    casinos: Casinos,
    money: MoneyCalls,
    spins: Spins,
    *,
    sealer: Sealer,
) -> Play:
    """Build it. `sealer` opens session tokens."""
    seeds = seed_sealer_for(settings)
    of_money = MoneyPlay(pool, casinos, money, spins, tokens=sealer, seeds=seeds)
    return Play(pool, Tickets(settings), spins.stops, of_money, DemoPlay(pool, casinos, spins.stops, seeds=seeds))


def guards(play: Play, admission: Admission, *, signed: tuple[str, Guard]) -> dict[str, Guard]:
    """The guards of `ACCESSES`. `signed`: the header of signatures, and the guard of signed routes."""

    def by_token(app: ASGIApp) -> RenderErrors:
        guarded = PlayGuard(app, pool=play.pool, tickets=play.tickets, admission=admission)
        return RenderErrors(guarded, errors=ERRORS, codes=CODES_BY_EXCEPTION)

    return {PLAY: by_token, SIGNED_OR_PLAY: either(*signed, play=by_token)}


def routes(settings: Settings, play: Play, casinos: Casinos) -> list[Route]:
    """What leads to game pages, what they call, and what a casino asks about its games."""
    return [
        *_routes(settings, play),
        *launching.routes(settings, casinos, play.stops),
        *returns.routes(play.pool, casinos),
    ]


def _routes(settings: Settings, play: Play) -> list[Route]:
    share = Share(max(1, settings.requests_max // 2))
    rotations = Rates(per_second=ROTATIONS_PER_SECOND)

    async def get_state(request: Request) -> Response:
        session = player_of(request).session
        return _answer(await play.of(session).state(session, request_id=request_id(request.scope)))

    async def post_spin(request: Request) -> Response:
        session, asked = player_of(request).session, SPIN_OF_PAGE.read(read_request(request))
        if request.path_params["game_id"] != session.game_code:
            raise Refused("game_not_found")
        return _answer(
            await play.of(session).spin(
                session, asked["spin_id"], asked["stake_minor"], request_id=request_id(request.scope),
                seconds=remaining_seconds(request.scope) - ANSWER_MARGIN_SECONDS,
            )
        )  # fmt: skip

    async def get_rounds(request: Request) -> Response:
        session = player_of(request).session
        return _answer(Rounds(rounds=await play.of(session).rounds(session)))

    async def get_round(request: Request) -> Response:
        session = player_of(request).session
        found = await play.of(session).rounds(session, _round_id(request))
        if not found:
            raise Refused("not_found")
        return _answer(found[0])

    async def get_seeds(request: Request) -> Response:
        session = player_of(request).session
        return _answer(await play.of(session).seeds(session))

    async def post_seeds(request: Request) -> Response:
        session, asked = player_of(request).session, SEEDS.read(read_request(request))
        if asked["rotate"]:
            rotations.take(player_of(request).session_key)
        return _answer(await play.of(session).change_seeds(session, asked["client_seed"], rotate=asked["rotate"]))

    return [
        route("POST", "/v1/play/start", _starts(play), access=PUBLIC),
        route("GET", "/v1/play/state", get_state, access=PLAY),
        route("POST", "/v1/play/slots/{game_id}/spin", post_spin, access=PLAY, share=share),
        route("GET", "/v1/play/rounds", get_rounds, access=PLAY),
        route("GET", "/v1/play/rounds/{round_id}", get_round, access=PLAY),
        route("GET", "/v1/play/seeds", get_seeds, access=PLAY),
        route("POST", "/v1/play/seeds", post_seeds, access=PLAY),
    ]


def loops(play: Play) -> list[BackgroundLoop]:
    """The loop that deletes codes, tokens and demo rounds that nobody needs any more."""

    async def step() -> bool:
        return await prune(play.pool, PRUNE_MAX) >= PRUNE_MAX

    return [BackgroundLoop("play_pruned", step, interval_seconds=PRUNE_SECONDS)]


def _starts(play: Play) -> Callable[[Request], Any]:
    """POST /v1/play/start."""
    room, demos = asyncio.Semaphore(STARTS_MAX), Rates()

    async def post_start(request: Request) -> Response:
        asked = START.read(decode_object(await read_json_body(request.scope, request.receive)))
        if asked["demo"]:
            demos.take(network_of(request.scope))
        if room.locked():
            raise Refused("overloaded")
        async with room:
            if asked["demo"]:
                return _answer(await _start_demo(play, request, asked))
            token, session = await _trade(play, request, asked)
        return _answer(await _started(play, request, token, session))  # a wallet that hangs holds up no other start

    return post_start


async def _trade(play: Play, request: Request, asked: dict[str, Any]) -> tuple[str, GameSession]:
    """Trade the launch code for a play token."""
    code = asked["code"] or ""
    if not play.tickets.is_ours(LAUNCH_CODE, code):
        raise Refused("launch_code_invalid")
    token = play.tickets.make(PLAY_TOKEN)
    refused, session_id = await use_code(
        play.pool, ticket_hash(code), game_code=asked["game_code"], token_sha256=ticket_hash(token),
        user_agent_sha256=user_agent_hash(request.scope), network=network_of(request.scope),
    )  # fmt: skip
    session = None if session_id is None else await session_by_id(play.pool, session_id)
    if refused is not None or session is None:
        raise Refused(refused or "launch_code_invalid")
    return token, session


async def _started(play: Play, request: Request, token: str, session: GameSession) -> Started:
    """The token and the state. A wallet that is away leaves the state out: the code is used, and the token holds."""
    try:
        state = await play.money.state(session, request_id=request_id(request.scope))
    except Refused:
        state = None
    channel = play.tickets.channel_of("money", str(session.player_id), session.game_code)
    return Started(play_token=token, channel=channel, state=None if isinstance(state, Response) else state)


async def _start_demo(play: Play, request: Request, asked: dict[str, Any]) -> Started:
    casino_code = asked["casino_code"] or DEFAULT_CASINO
    if CASINO_CODE.fullmatch(casino_code) is None:
        raise Refused("invalid_field", field="casino")
    token = play.tickets.make(DEMO_TOKEN)
    session = await play.demo.begin(
        casino_code, asked["game_code"], token_sha256=ticket_hash(token),
        user_agent_sha256=user_agent_hash(request.scope),
    )  # fmt: skip
    state = await play.demo.state(session, request_id=request_id(request.scope))
    return Started(play_token=token, channel=play.tickets.channel_of("demo", str(session.demo_id)), state=state)


def _round_id(request: Request) -> uuid.UUID:
    try:
        return uuid.UUID(request.path_params["round_id"])
    except ValueError:
        raise Refused("not_found") from None


def _answer(content: object) -> Response:
    answer = content if isinstance(content, Response) else json_answer(content)
    answer.headers.update(NO_STORE)
    return answer
