"""Shows vouchers, without code and PIN, and makes them void."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from casino.api import lists
from casino.api.call import Call
from casino.api.errors import Refused
from casino.api.types import Answer, Empty, Instant, Page, Shape, instant
from casino.vouchers import queries


class Voucher(Shape):
    """A voucher in an answer."""

    voucher_id: str
    tenant_id: str
    amount_minor: int
    bonus_amount_minor: int
    total_cost_minor: int
    status: str
    expires_at: Instant
    issued_at: Instant
    issued_by: str
    redeemed_at: Instant | None
    player_id: str | None
    prize_wheel_enabled: bool


class VoucherAnswer(Answer):
    """An answer with one voucher."""

    voucher: Voucher


class VouchersAnswer(Answer):
    """A page of vouchers."""

    items: list[Voucher]
    next_cursor: str | None


async def show(call: Call, _: Empty) -> VoucherAnswer:
    """One voucher."""
    return VoucherAnswer(voucher=await _read(call))


async def show_all(call: Call, query: Page) -> VouchersAnswer:
    """The vouchers of an agent, the newest first."""
    agent = {"ledger_id": call.ledger_id, "tenant_id": call.path["tenant_id"]}
    rows = await call.rows(queries.LIST, {**agent, **lists.parameters(query)})
    page, cursor = lists.cut(rows, query, place=lambda row: (row[6], row[0]))
    return VouchersAnswer(items=[_voucher(row) for row in page], next_cursor=cursor)


async def void(call: Call, _: Empty) -> VoucherAnswer:
    """Give amount and bonus back to the agent."""
    parameters = (call.ledger_id, call.path["voucher_id"], call.caller.id, call.request_id)
    (code,) = await call.row(queries.VOID, parameters)
    if code is not None:
        raise Refused(code)
    voucher = await _read(call)
    call.audit(
        "voucher.voided", subject=voucher.voucher_id, tenant_id=voucher.tenant_id, before={"status": "NEW"},
        after={"status": "VOID", "returnedMinor": voucher.total_cost_minor},
    )  # fmt: skip
    return VoucherAnswer(voucher=voucher)


async def _read(call: Call) -> Voucher:
    parameters = {"ledger_id": call.ledger_id, "voucher_id": call.path["voucher_id"]}
    return _voucher(await call.row(queries.ONE, parameters))


def _voucher(row: Sequence[Any]) -> Voucher:
    voucher_id, tenant_id, amount, bonus, status, expires_at, issued_at, issued_by, ended_at, player_id, wheel = row
    return Voucher(
        voucher_id=voucher_id, tenant_id=tenant_id, amount_minor=amount, bonus_amount_minor=bonus,
        total_cost_minor=amount + bonus, status=status, expires_at=instant(expires_at), issued_at=instant(issued_at),
        issued_by=issued_by, redeemed_at=instant(ended_at) if status == "USED" else None, player_id=player_id,
        prize_wheel_enabled=wheel,
    )  # fmt: skip
