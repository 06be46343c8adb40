"""Serves POST /provider/spin: a slot that is played through the casino's own client."""

import re
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from provider.casinos.registry import Casinos
from provider.errors import Refused
from provider.offers.configurations import Configurations
from provider.offers.stops import READ_SECONDS, Stops
from provider.outbox.serving import MoneyCalls
from provider.sessions.launch import known_session, read_session
from provider.sessions.sealing import Sealer
from provider.settings import Settings
from provider.spins.answers import answer_of
from provider.spins.play import Order, SpinRequest
from provider.spins.spins import Spins
from provider.wire import read_request
from shared_service.http.decoding import identifier
from shared_service.http.exchange import remaining_seconds, request_id
from shared_service.http.routing import SIGNED, Route, Share, route
from shared_service.openapi.fields import Field, Message
from shared_service.postgres.database import Database
from shared_service.run.loops import BackgroundLoop

PLAIN: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")
ANSWER_MARGIN_SECONDS: Final = 0.5
"""The answer is sent this long before the request's deadline."""


def spins_of(settings: Settings, pool: Database, money: MoneyCalls) -> Spins:
    """Build what plays the spins of a process. The caller closes it."""
    return Spins(settings, pool, money, Configurations(pool), Stops(pool))


def loops(spins: Spins) -> list[BackgroundLoop]:
    """The loop that reads which games are stopped."""
    return [BackgroundLoop("game_stops", spins.stops.step, interval_seconds=READ_SECONDS)]


def routes(settings: Settings, sealer: Sealer, casinos: Casinos, spins: Spins) -> list[Route]:
    """POST /provider/spin. At most half of the service's capacity is spins, so launches always find some."""

    async def post_spin(request: Request) -> Response:
        members, casino, own_id = read_request(request), casinos.signer_of(request), request_id(request.scope)
        named, asked = read_session(members), read_spin(members)
        before = await spins.before(named.id_of(casino), asked.spin_id)
        session = known_session(before.session, sealer, casino, named=named)
        seconds = remaining_seconds(request.scope) - ANSWER_MARGIN_SECONDS
        order = Order(casino=casino, session=session, asked=asked, request_id=own_id)
        spin = await spins.spin(order, before, seconds=seconds)
        return answer_of(asked.spin_id, spin, request_id=own_id)

    share = Share(max(1, settings.requests_max // 2))
    return [route("POST", "/provider/spin", post_spin, access=SIGNED, share=share)]


def read_spin(members: dict[str, Any]) -> SpinRequest:
    """Read a spin from a body. Raises `invalid_field`."""
    asked = SPIN.read(members)
    return SpinRequest(**{**asked, "client_seed": asked["client_seed"] or asked["spin_id"]})


def _stake(members: dict[str, Any], name: str) -> int:
    stake = members.get(name)
    if type(stake) is not int or stake < 1:
        raise Refused("invalid_field", field=name)
    return stake


def optional_plain(members: dict[str, Any], name: str) -> str | None:
    """A member of 1 to 64 of 0-9A-Za-z_- or None."""
    return None if members.get(name) is None else _plain(members, name)


def _plain(members: dict[str, Any], name: str) -> str:
    value = identifier(members, name)
    if PLAIN.fullmatch(value) is None:
        raise Refused("invalid_field", field=name)
    return value


_PLAIN: Final[Mapping[str, Any]] = {"type": ["string", "integer"], "pattern": f"^{PLAIN.pattern}$"}
SPIN: Final = Message(
    "Spin",
    (
        Field("stake", "stake_minor", _stake, {"type": "integer", "minimum": 1, "description": "Minor units"}),
        Field("spinId", "spin_id", _plain, _PLAIN),
        Field("clientSeed", "client_seed", optional_plain, {**_PLAIN, "type": ["string", "integer", "null"]}, False),
    ),
)
"""A spin, beside the members that name its session."""
