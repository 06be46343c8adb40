"""Moves money between a tenant's float and that of its parent."""

from __future__ import annotations

import uuid

from casino.api.call import Call
from casino.api.errors import Refused, invalid
from casino.api.types import Amount, Answer, Body, Reason, Shape
from casino.tenants import queries


class FundBody(Body):
    """How much moves, and why."""

    amount_minor: Amount
    reason: Reason


class Transfer(Shape):
    """What moved."""

    transfer_id: str
    amount_minor: int
    balance_minor: int
    parent_balance_minor: int | None
    """None for a tenant without a parent."""


class Funded(Answer):
    """The answer to both."""

    transfer: Transfer


async def fund(call: Call, body: FundBody) -> Funded:
    """From the parent to the tenant."""
    return await _move(call, body, is_back=False)


async def withdraw(call: Call, body: FundBody) -> Funded:
    """From the tenant to the parent."""
    return await _move(call, body, is_back=True)


async def _move(call: Call, body: FundBody, *, is_back: bool) -> Funded:
    tenant_id, transfer_id = call.path["tenant_id"], str(uuid.uuid4())
    code, balance, parent_balance = await call.row(
        queries.FUND,
        (
            call.ledger_id, tenant_id, is_back, body.amount_minor, transfer_id, body.reason, call.request_id,
            call.caller.id,
        ),
    )  # fmt: skip
    if code is not None:
        raise invalid("amountMinor", "No float can hold that much") if code == "INVALID_FIELD" else Refused(code)
    moved = -body.amount_minor if is_back else body.amount_minor
    call.audit(
        "tenant.withdrawn" if is_back else "tenant.funded", subject=tenant_id, tenant_id=tenant_id,
        before={"balanceMinor": balance - moved},
        after={"balanceMinor": balance, "transferId": transfer_id, "reason": body.reason},
    )  # fmt: skip
    return Funded(
        transfer=Transfer(
            transfer_id=transfer_id, amount_minor=body.amount_minor, balance_minor=balance,
            parent_balance_minor=parent_balance,
        )
    )  # fmt: skip
