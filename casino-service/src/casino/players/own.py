"""What players call for themselves: login, state, logout, acknowledgements."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final

from msgspec import Meta

from casino.api import codes, tokens
from casino.api.call import Call
from casino.api.errors import Refused
from casino.api.types import Answer, Body, Empty, Instant, Shape, instant
from casino.players.accounts import own_id, read_limits
from casino.players.shapes import Exclusion, Limit, moment
from casino.safety.page_events import MESSAGES as SHOWN

LOGIN: Final = "select * from casino.login_player(%s, %s, %s, %s, %s, %s)"
LOGOUT: Final = "select casino.logout_player(%s, %s)"
ACK_BONUS: Final = "select casino.acknowledge_bonus(%s, %s)"
ACK_REALITY: Final = "select casino.ack_reality_check(%s, %s)"
STATE: Final = """
    select
        player.tenant_id, wallet.currency, wallet.balance_minor, wallet.pending_bonus_minor, wallet.bonus_ack_required,
        casino.player_status(player.status, wallet.excluded_until, casino.clock()), play.play_session_id::text,
        floor(extract(epoch from casino.clock() - play.started_at))::bigint, play.check_due_at,
        casino.play_session_net(play)::bigint, wallet.sequence_no, wallet.excluded_until > casino.clock(),
        nullif(wallet.excluded_until, 'infinity')
    from casino.players as player
    join casino.wallets as wallet on wallet.ledger_id = player.ledger_id and wallet.wallet_id = player.wallet_id
    left join casino.play_sessions as play on play.ledger_id = player.ledger_id
        and play.play_session_id = casino.running_play_session(player.ledger_id, player.player_id)
    where player.ledger_id = %s and player.player_id = %s
"""
TOLD: Final = "select o_code, o_until, o_reason from casino.messages_of_player(%s, %s)"
MESSAGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "EXCLUDED": "You are excluded from play.",
        "FROZEN": "Your account is frozen. Please ask your agent.",
        "PLAY_STOPPED": "Play is stopped for now.",
        "SAFETY_STOP": SHOWN["STOP"],
        "COOLDOWN_ACTIVE": "You are taking a break from play.",
        "BONUS_ACK_REQUIRED": "You were granted a bonus. Please confirm it to go on.",
        "REALITY_CHECK_DUE": "Please look at how long you have played, and what you have won or lost.",
        "LIMIT_TO_CONFIRM": "A limit that you asked for can be confirmed now.",
    }
)
"""The sentences for what a player is to be told (casino.messages_of_player). A stop has its reason instead."""
Typed = Annotated[str, Meta(max_length=64)]


class LoginBody(Body):
    """A login code and its PIN. Case and hyphens of the code do not matter."""

    login_code: Typed
    pin: Typed


class PlayerLoggedIn(Shape):
    """The player who logged in."""

    player_id: str
    tenant_id: str
    bonus_ack_required: bool


class LoggedIn(Answer):
    """The token of a new login."""

    token: str
    player: PlayerLoggedIn


class RealityCheck(Shape):
    """How long the play session lasts, payouts minus stakes in it, and when the player is to be told."""

    elapsed_seconds: int
    net_minor: int
    due_at: Instant


class Message(Shape):
    """What the player is to be told now, and the sentence for it."""

    code: str
    message: str
    until: Instant | None
    """When it ends as things stand. None: it has no end, or the player ends it."""


class State(Shape):
    """A player's own state. `session_id` and `reality_check` are None while no play session runs."""

    player_id: str
    tenant_id: str
    currency: str
    balance_minor: int
    version: int
    """The number of the wallet's newest entry, as in `head`: a balance with a lower one is older."""
    bonus_pending_minor: int
    bonus_ack_required: bool
    status: str
    session_id: str | None
    limits: list[Limit]
    exclusion: Exclusion | None
    reality_check: RealityCheck | None
    messages: list[Message]


class Me(Answer):
    """The player's state."""

    state: State


async def log_in(call: Call, body: LoginBody) -> LoggedIn:
    """POST /player/login. One answer and one timing for a wrong code, a wrong PIN and a closed account."""
    pepper = call.settings.pepper
    code_mac = codes.code_mac(pepper, codes.LOGIN, body.login_code)
    pin_mac = codes.pin_mac(pepper, codes.LOGIN, body.login_code, body.pin)
    wanted = (call.ledger_id, code_mac.hex(), code_mac, pin_mac, call.request_id, call.address)
    (row,) = await call.apart(LOGIN, wanted)
    code, locked_until, wait_seconds, player_id, tenant_id, ack_required, issued_at = row
    if code == "LOCKED":
        raise Refused(code, extras={"lockUntil": instant(locked_until)}, retry_after_seconds=wait_seconds)
    if code is not None:
        raise Refused(code, retry_after_seconds=wait_seconds if code == "RATE_LIMITED" else None)
    token = tokens.issue(call.settings.access_token_keys, tokens.PLAYERS, player_id, revocable_at=issued_at)
    player = PlayerLoggedIn(player_id=player_id, tenant_id=tenant_id, bonus_ack_required=ack_required)
    return LoggedIn(token=token, player=player)


async def me(call: Call, _: Empty) -> Me:
    """GET /player/me."""
    player_id = own_id(call)
    row = await call.row(STATE, (call.ledger_id, player_id))
    tenant_id, currency, balance, pending, ack_required, status, session_id, elapsed, due_at, net, *rest = row
    version, is_excluded, excluded_until = rest
    check = None
    if session_id is not None:
        check = RealityCheck(elapsed_seconds=elapsed, net_minor=net, due_at=instant(due_at))
    state = State(
        player_id=player_id, tenant_id=tenant_id, currency=currency, balance_minor=balance, version=version,
        bonus_pending_minor=pending, bonus_ack_required=ack_required, status=status, session_id=session_id,
        limits=(await read_limits(call, [player_id])).get(player_id, []),
        exclusion=Exclusion(until=moment(excluded_until)) if is_excluded else None, reality_check=check,
        messages=await _messages(call, player_id),
    )  # fmt: skip
    return Me(state=state)


async def _messages(call: Call, player_id: str) -> list[Message]:
    """What the player is to be told now, the most urgent first."""
    told = await call.rows(TOLD, (call.ledger_id, player_id))
    return [
        Message(code=code, message=reason or MESSAGES[code], until=moment(until)) for code, until, reason in told
    ]  # fmt: skip


async def log_out(call: Call, _: Empty) -> Answer:
    """POST /player/logout."""
    await call.rows(LOGOUT, (call.ledger_id, own_id(call)))
    return Answer()


async def acknowledge_bonus(call: Call, _: Empty) -> Answer:
    """POST /player/bonus/ack."""
    await call.rows(ACK_BONUS, (call.ledger_id, own_id(call)))
    return Answer()


async def acknowledge_reality_check(call: Call, _: Empty) -> Answer:
    """POST /player/reality-check/ack."""
    await call.rows(ACK_REALITY, (call.ledger_id, own_id(call)))
    return Answer()
