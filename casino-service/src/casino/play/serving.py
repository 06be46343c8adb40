"""Serves POST /api/v1/bet/spin, and keeps what providers say of their games."""

from __future__ import annotations

import uuid
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from casino.api.call import Call
from casino.api.errors import Refused, invalid
from casino.api.frame import PLAYER, Frame
from casino.api.types import Amount, Answer, Body, Instant, Shape, instant
from casino.play.catalogue import READ_SECONDS, Catalogue
from casino.play.sessions import SpinSessions
from casino.play.spins import Asked, Played, Spins
from casino.sessions.provider_client import CONNECTIONS_MAX
from casino.sessions.providers import Providers
from shared_service.http.routing import Route, Share
from shared_service.run.loops import BackgroundLoop

SPINS_AT_ONCE_MAX: Final = CONNECTIONS_MAX * 3 // 2
"""Spins of all providers at once. They count apart from other requests, among which are their own debits."""
ID_MAX_CHARACTERS: Final = 128
CODES: Final = (
    *("INVALID_STAKE", "GAME_CODE_REQUIRED", "INSUFFICIENT_BALANCE", "TENANT_NOT_ACTIVE", "PLAYER_NOT_ACTIVE"),
    *("COOLDOWN_ACTIVE", "BONUS_ACK_REQUIRED", "LOSS_LIMIT_REACHED", "TIME_LIMIT_REACHED", "GAME_NOT_FOUND"),
    *("BUSY", "IDEMPOTENCY_MISMATCH", "PLAY_STOPPED", "GAME_DISABLED", "PROVIDER_UNREACHABLE"),
)
"""In their order: see casino.spin_refusal and casino.refusal_of."""

_text = {"type": "string", "minLength": 1, "maxLength": ID_MAX_CHARACTERS}


class SpinBody(Body):
    """A spin. The handler looks at all but the stake, because the stake's refusal goes before theirs."""

    stake_minor: Amount
    game_code: Annotated[Any, Meta(extra_json_schema=_text, description="The game's code, or its id")] = None
    spin_id: Annotated[
        Any,
        Meta(
            extra_json_schema=_text, description="Answers the same for ever. Default: the idempotency key, or a new id"
        ),
    ] = None


class SpinResult(Shape):
    """What a spin came to. `balanceMinor`: after it, a bonus that it triggered included."""

    bet_id: str
    outcome: str
    stake_minor: int
    win_minor: int
    balance_minor: int
    bonus_triggered: bool
    events: msgspec.Raw


class RealityCheck(Shape):
    """Where the player's play session stands. `netMinor`: payouts less stakes. `dueAt`: of the next check."""

    elapsed_seconds: int
    net_minor: int
    due_at: Instant


class SpinAnswer(Answer):
    """A finished spin. `realityCheck` is null while no play session runs."""

    result: SpinResult
    reality_check: RealityCheck | None


def routes(frame: Frame, providers: Providers) -> list[Route]:
    """POST /bet/spin. A spin waits for its provider longer than other requests may take."""
    spins = Spins(SpinSessions(frame.settings, frame.pools.tenants, providers))

    async def spin(call: Call, body: SpinBody) -> SpinAnswer:
        return _answer(await spins.play(call, _asked(call, body)))

    route = frame.post(
        "/bet/spin", spin, body=SpinBody, answer=SpinAnswer, access=PLAYER, codes=CODES,
        field_codes={"stakeMinor": "INVALID_STAKE"}, in_transaction=False,
        share=Share(SPINS_AT_ONCE_MAX, is_apart=True),
    )  # fmt: skip
    return [route]


def loops(frame: Frame, providers: Providers) -> list[BackgroundLoop]:
    """The loop that reads the games of providers."""
    read = Catalogue(frame.settings, frame.pools.tenants, providers).read
    return [BackgroundLoop("provider_games", read, interval_seconds=READ_SECONDS)]


def _asked(call: Call, body: SpinBody) -> Asked:
    """The spin that is asked for. Raises Refused."""
    if not _is_plain(body.game_code):
        raise Refused("GAME_CODE_REQUIRED", field="gameCode")
    spin_id = body.spin_id
    if spin_id is None:
        spin_id = call.idempotency_key or str(uuid.uuid4())
    elif not _is_plain(spin_id):
        raise invalid("spinId", f"Expected 1 to {ID_MAX_CHARACTERS} printable ASCII characters")
    return Asked(spin_id=spin_id, stake_minor=body.stake_minor, game=body.game_code)


def _is_plain(value: Any) -> bool:
    """Returns whether a value is 1 to 128 printable ASCII characters."""
    return isinstance(value, str) and 0 < len(value) <= ID_MAX_CHARACTERS and value.isascii() and value.isprintable()


def _answer(played: Played) -> SpinAnswer:
    check = None
    if played.check_due_at is not None:
        check = RealityCheck(
            elapsed_seconds=played.elapsed_seconds, net_minor=played.net_minor, due_at=instant(played.check_due_at)
        )
    return SpinAnswer(
        result=SpinResult(
            bet_id=played.round_id,
            outcome="WIN" if played.win_minor > 0 else "LOSS",
            stake_minor=played.stake_minor,
            win_minor=played.win_minor,
            balance_minor=played.balance_minor,
            bonus_triggered=played.bonus_triggered,
            events=msgspec.Raw(played.events.encode()),
        ),
        reality_check=check,
    )
