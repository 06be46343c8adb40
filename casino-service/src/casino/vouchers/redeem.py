"""Redeems a voucher: whoever has code and PIN becomes a player with its amount.

A try is counted and committed before anything else, so that a refusal does not take its count back.
"""

from __future__ import annotations

import uuid
from typing import Final

import msgspec
from starlette.responses import Response

from casino.api import codes, tokens
from casino.api.call import Call
from casino.api.errors import Refused
from casino.api.kept_answers import KeptAnswers
from casino.api.types import Answer, Body, Shape
from casino.vouchers import queries

CREATED: Final = 201
WRONG: Final = "INVALID_OR_USED_VOUCHER"
OVER: Final = "OVER"
"""What casino.try_voucher says of a voucher that is not NEW any more, to who knows its PIN."""
_encode = msgspec.json.Encoder().encode


class RedeemBody(Body):
    """What the slip says. The code is read without case and hyphens."""

    code: str
    pin: str


class NewPlayer(Shape):
    """The player, with what logs in again. It is shown once."""

    player_id: str
    login_code: str
    pin: str
    balance_minor: int
    bonus_amount_minor: int
    prize_wheel_enabled: bool


class Redeemed(Answer):
    """The answer: the player is logged in."""

    player: NewPlayer
    token: str


async def redeem(call: Call, body: RedeemBody) -> Response:
    """Redeem a voucher. All that is wrong with it has one answer and takes one way."""
    pepper = call.settings.pepper
    found = (
        codes.code_mac(pepper, codes.VOUCHER, body.code),
        codes.pin_mac(pepper, codes.VOUCHER, body.code, body.pin),
    )
    ((refusal, wait_seconds),) = await call.apart(queries.TRY, (call.ledger_id, *found, call.address))
    if refusal == "RATE_LIMITED":
        raise Refused(refusal, retry_after_seconds=wait_seconds)
    kept = None
    if call.idempotency_key is not None:  # the kept answer is of code and PIN, in whatever spelling
        kept = KeptAnswers(call, f"voucher {found[0].hex()}", call.idempotency_key)
    if refusal is not None and (refusal != OVER or kept is None):
        raise Refused(WRONG)
    async with call.begin():
        first = await kept.take(found[1]) if kept is not None else None
        if first is not None:
            if first.shows_secrets:
                call.audit("voucher.shown_again", subject=_player_of(first.body))
            return _answer(first.body, is_replay=True)
        if refusal is not None:
            raise Refused(WRONG)
        answer = _encode(await _redeem(call, found))
        if kept is not None:
            await kept.keep(CREATED, answer)
    return _answer(answer)


async def _redeem(call: Call, found: tuple[bytes, bytes]) -> Redeemed:
    pepper, player_id = call.settings.pepper, str(uuid.uuid4())
    login_code, pin = codes.new_code(codes.LOGIN_CODE_CHARACTERS), codes.new_pin()
    login = (codes.code_mac(pepper, codes.LOGIN, login_code), codes.pin_mac(pepper, codes.LOGIN, login_code, pin))
    refusal, voucher_id, tenant_id, balance, bonus, wheel, now = await call.row(
        queries.REDEEM, (call.ledger_id, *found, player_id, *login, call.request_id)
    )
    if refusal is not None:
        raise Refused(refusal)
    call.audit("voucher.redeemed", subject=voucher_id, tenant_id=tenant_id, after={"playerId": player_id})
    player = NewPlayer(
        player_id=player_id, login_code=codes.shown(login_code), pin=pin, balance_minor=balance,
        bonus_amount_minor=bonus, prize_wheel_enabled=wheel,
    )  # fmt: skip
    token = tokens.issue(call.settings.access_token_keys, tokens.PLAYERS, player_id, revocable_at=now)
    return Redeemed(player=player, token=token)


def _player_of(body: bytes) -> str:
    return str(msgspec.json.decode(body, type=Redeemed).player.player_id)


def _answer(body: bytes, *, is_replay: bool = False) -> Response:
    headers = {"cache-control": "no-store", **({"idempotent-replay": "true"} if is_replay else {})}
    return Response(body, CREATED, headers=headers, media_type="application/json")
