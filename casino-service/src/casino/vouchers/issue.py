"""Issues vouchers: makes codes and PINs, which nobody reads again, and lets the agent's float pay for them."""

from __future__ import annotations

import base64
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

from msgspec import UNSET, Meta, UnsetType

from casino.api import codes
from casino.api.call import Call
from casino.api.errors import Refused, invalid
from casino.api.types import Amount, Answer, Body, Instant, InstantIn, Shape, instant
from casino.vouchers import queries, slips

COUNT_MAX: Final = 500
SLIP_TOKEN_BYTES: Final = 18
FAR: Final = "Expected an instant from 1 second to 1 year from now"


class IssueBody(Body):
    """What is issued. With `count`, even 1, the answer has a list."""

    amount_minor: Amount
    count: Annotated[int, Meta(ge=1, le=COUNT_MAX)] | None = None
    expires_at: InstantIn | None = None
    prize_wheel_enabled: bool = False


class IssuedVoucher(Shape):
    """A voucher with what is shown once."""

    voucher_id: str
    code: str
    pin: str
    amount_minor: int
    bonus_amount_minor: int
    total_cost_minor: int
    expires_at: Instant
    status: str
    prize_wheel_enabled: bool
    slip_token: str


class Issued(Answer):
    """One voucher, or the list of a batch."""

    voucher: IssuedVoucher | UnsetType = UNSET
    vouchers: list[IssuedVoucher] | UnsetType = UNSET


@dataclass(frozen=True, slots=True)
class Secrets:
    """What the database holds of a voucher as HMACs."""

    voucher_id: str
    code: str
    pin: str
    slip_token: str


async def issue(call: Call, body: IssueBody) -> Issued:
    """Issue one voucher, or a batch, whole or not at all."""
    agent_id, pepper = call.path["tenant_id"], call.settings.pepper
    made = [_new() for _ in range(body.count or 1)]
    row = await call.row(
        queries.ISSUE,
        (
            call.ledger_id, agent_id, body.amount_minor, body.expires_at, body.prize_wheel_enabled, call.caller.id,
            call.request_id,
            [each.voucher_id for each in made],
            [codes.code_mac(pepper, codes.VOUCHER, each.code) for each in made],
            [codes.pin_mac(pepper, codes.VOUCHER, each.code, each.pin) for each in made],
            [slips.token_mac(pepper, each.slip_token) for each in made],
            [slips.seal(pepper, each.slip_token, code=each.code, pin=each.pin) for each in made],
        ),
    )  # fmt: skip
    code, bonus, balance, _, expires_at, _ = row
    if code is not None:
        raise invalid("expiresAt", FAR) if code == "INVALID_FIELD" else Refused(code)
    cost = body.amount_minor + bonus
    call.audit(
        "vouchers.issued", subject=made[0].voucher_id, tenant_id=agent_id,
        before={"balanceMinor": balance + cost * len(made)},
        after={"balanceMinor": balance, "count": len(made), "amountMinor": body.amount_minor, "bonusMinor": bonus},
    )  # fmt: skip
    issued = [_issued(each, body, bonus, expires_at) for each in made]
    return Issued(voucher=issued[0]) if body.count is None else Issued(vouchers=issued)


def _new() -> Secrets:
    token = base64.urlsafe_b64encode(secrets.token_bytes(SLIP_TOKEN_BYTES)).decode()
    return Secrets(str(uuid.uuid4()), codes.new_code(codes.VOUCHER_CODE_CHARACTERS), codes.new_pin(), token)


def _issued(made: Secrets, body: IssueBody, bonus: int, expires_at: datetime) -> IssuedVoucher:
    return IssuedVoucher(
        voucher_id=made.voucher_id, code=codes.shown(made.code), pin=made.pin, amount_minor=body.amount_minor,
        bonus_amount_minor=bonus, total_cost_minor=body.amount_minor + bonus, expires_at=instant(expires_at),
        status="NEW", prize_wheel_enabled=body.prize_wheel_enabled, slip_token=made.slip_token,
    )  # fmt: skip
