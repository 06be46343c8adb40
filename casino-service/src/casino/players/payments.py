"""Money that staff moves for players, and the approvals of what is above the threshold."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import UNSET, Meta, UnsetType

from casino.api import lists
from casino.api.call import Call
from casino.api.errors import invalid
from casino.api.types import AMOUNT_MAX_MINOR, Amount, Answer, Body, Empty, Page, Reason, Shape, instant
from casino.players.accounts import note
from casino.players.refusals import refuse
from casino.players.shapes import Approval, Approvals, OneApproval, moment

PAY: Final = "select * from casino.pay_player(%s, %s, %s, %s, %s, %s, %s)"
DECIDE: Final = "select * from casino.decide_approval(%s, %s, %s, %s, %s)"
_APPROVALS: Final = """
    select
        approval_id, requested_at, kind, player_id, amount_minor, reason, requested_by, status, decided_by,
        decided_at
    from casino.approvals
    where ledger_id = %(ledger)s
"""
APPROVAL: Final = _APPROVALS + " and approval_id = %(approval)s"
APPROVALS: Final = (
    _APPROVALS
    + " and (%(status)s::text is null or status = %(status)s)"
    + " and (requested_at, approval_id) < (%(before_at)s, %(before_id)s)"
    + " order by requested_at desc, approval_id desc limit %(limit)s"
)
FINDS_APPROVAL: Final = "select from casino.approvals where ledger_id = %(ledger_id)s and approval_id = %(approval_id)s"


class AmountBody(Body):
    """How much, and why."""

    amount_minor: Amount
    reason: Reason


class AdjustBody(Body):
    """A correction: a negative amount takes."""

    amount_minor: Annotated[int, Meta(ge=-AMOUNT_MAX_MINOR, le=AMOUNT_MAX_MINOR)]
    reason: Reason


class CashOutBody(Body):
    """Why the player is paid out."""

    reason: Reason


class ApprovalsQuery(Page):
    """The query of the list of approvals."""

    status: Literal["PENDING", "APPROVED", "REJECTED"] | None = None


class Transfer(Shape):
    """Money that was moved. `agent_balance_minor` is None for an adjustment, which no float pays."""

    transfer_id: str
    amount_minor: int
    balance_minor: int
    agent_balance_minor: int | None


class CashOut(Shape):
    """What a cash-out paid, and the float's balance after it."""

    amount_minor: int
    forfeited_bonus_minor: int
    agent_balance_minor: int


class Paid(Answer):
    """A payment, or with 202 the approval that it waits for."""

    transfer: Transfer | UnsetType = UNSET
    approval: Approval | UnsetType = UNSET


class CashedOut(Answer):
    """A cash-out, or with 202 the approval that it waits for."""

    cashout: CashOut | UnsetType = UNSET
    approval: Approval | UnsetType = UNSET


async def deposit(call: Call, body: AmountBody) -> Paid:
    """POST /admin/players/{player_id}/deposit."""
    return await _pay(call, "DEPOSIT", body.amount_minor, body.reason)


async def withdraw(call: Call, body: AmountBody) -> Paid:
    """POST /admin/players/{player_id}/withdraw."""
    return await _pay(call, "WITHDRAW", body.amount_minor, body.reason)


async def adjust(call: Call, body: AdjustBody) -> Paid:
    """POST /admin/players/{player_id}/adjust."""
    if body.amount_minor == 0:
        raise invalid("amountMinor", "Expected another amount than 0")
    return await _pay(call, "ADJUST", body.amount_minor, body.reason)


async def cash_out(call: Call, body: CashOutBody) -> CashedOut:
    """POST /admin/players/{player_id}/cashout."""
    row = await _ask(call, "CASHOUT", 0, body.reason)
    approval_id, _, amount, _, agent_balance, forfeited, _ = row
    if approval_id is not None:
        return call.accepted(CashedOut(approval=await _approval(call, approval_id)))
    return CashedOut(
        cashout=CashOut(amount_minor=amount, forfeited_bonus_minor=forfeited, agent_balance_minor=agent_balance)
    )


async def approvals(call: Call, query: ApprovalsQuery) -> Approvals:
    """GET /admin/approvals."""
    parameters = {"ledger": call.ledger_id, "status": query.status, **lists.parameters(query)}
    rows, next_cursor = lists.cut(await call.rows(APPROVALS, parameters), query, place=lambda row: (row[1], row[0]))
    return Approvals(items=[_approval_of(row) for row in rows], next_cursor=next_cursor)


async def approve(call: Call, _: Empty) -> OneApproval:
    """POST /admin/approvals/{approval_id}/approve."""
    return await _decide(call, approves=True)


async def reject(call: Call, _: Empty) -> OneApproval:
    """POST /admin/approvals/{approval_id}/reject."""
    return await _decide(call, approves=False)


async def _pay(call: Call, kind: str, amount_minor: int, reason: str) -> Paid:
    approval_id, payment_id, amount, balance, agent_balance, _, _ = await _ask(call, kind, amount_minor, reason)
    if approval_id is not None:
        return call.accepted(Paid(approval=await _approval(call, approval_id)))
    return Paid(
        transfer=Transfer(
            transfer_id=str(payment_id), amount_minor=amount, balance_minor=balance,
            agent_balance_minor=None if kind == "ADJUST" else agent_balance,
        )
    )  # fmt: skip


async def _ask(call: Call, kind: str, amount_minor: int, reason: str) -> tuple[Any, ...]:
    """Pay, or ask for approval; returns what casino.pay_player says after its code."""
    player_id = call.path["player_id"]
    wanted = (call.ledger_id, player_id, kind, amount_minor, reason, call.request_id, call.caller.id)
    code, *rest = await call.row(PAY, wanted)
    refuse(code)
    approval_id, payment_id, amount, *_ = rest
    action = f"player.{kind.lower()}" + ("" if approval_id is None else "_requested")
    after = {"amountMinor": amount, "reason": reason, "id": approval_id or str(payment_id)}
    await note(call, action, player_id, after=after)
    return tuple(rest)


async def _decide(call: Call, *, approves: bool) -> OneApproval:
    approval_id = call.path["approval_id"]
    wanted = (call.ledger_id, approval_id, approves, call.caller.id, call.request_id)
    code, tenant_id, player_id, kind, amount = await call.row(DECIDE, wanted)
    refuse(code)
    action = "approval.approved" if approves else "approval.rejected"
    after = {"playerId": player_id, "kind": kind, "amountMinor": amount}
    call.audit(action, subject=approval_id, tenant_id=tenant_id, after=after)
    return OneApproval(approval=await _approval(call, approval_id))


async def _approval(call: Call, approval_id: str) -> Approval:
    return _approval_of(await call.row(APPROVAL, {"ledger": call.ledger_id, "approval": approval_id}))


def _approval_of(row: tuple[Any, ...]) -> Approval:
    approval_id, requested_at, kind, player_id, amount, reason, requested_by, status, decided_by, decided_at = row
    return Approval(
        approval_id=approval_id, kind=kind, player_id=player_id, amount_minor=amount, reason=reason,
        requested_by=requested_by, requested_at=instant(requested_at), status=status, decided_by=decided_by,
        decided_at=moment(decided_at),
    )  # fmt: skip
