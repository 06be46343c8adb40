"""A cashier's shifts: opened with the cash in the drawer, closed with what was counted."""

from __future__ import annotations

from typing import Annotated, Any, Final

from msgspec import Meta

from casino.api import lists, permissions
from casino.api.call import Call
from casino.api.errors import Refused
from casino.api.types import AMOUNT_MAX_MINOR, Answer, Body, Instant, Page, Shape, instant
from casino.players.refusals import refuse
from casino.players.shapes import moment

COLUMNS: Final = """
    shift_id::text, opened_at, staff_id, tenant_id, closed_at, cash_minor, issued_minor, voided_minor, redeemed_minor,
    deposited_minor, withdrawn_minor, cashed_out_minor, counted_minor
"""
OPEN: Final = "select * from casino.open_shift(%s, %s, %s)"
CLOSE: Final = f"select {COLUMNS} from casino.close_shift(%s, %s, %s)"  # noqa: S608 - columns of this file
ONE: Final = f"select {COLUMNS} from casino.shifts where ledger_id = %s and shift_id = %s"  # noqa: S608 - likewise
PAGE: Final = f"""
    select {COLUMNS} from casino.shifts
    where ledger_id = %(ledger)s and (%(staff)s::text is null or staff_id = %(staff)s)
        and (opened_at, shift_id::text) < (%(before_at)s, %(before_id)s)
    order by opened_at desc, shift_id::text desc
    limit %(limit)s
"""  # noqa: S608 - likewise
Cash = Annotated[int, Meta(ge=0, le=AMOUNT_MAX_MINOR, description="Minor units of the currency")]


class OpenBody(Body):
    """The cash in the drawer at the beginning."""

    cash_minor: Cash


class CloseBody(Body):
    """The cash that was counted at the end."""

    counted_minor: Cash


class Shift(Shape):
    """A shift. What is counted at its end is None while it is open."""

    shift_id: str
    staff_id: str
    opened_at: Instant
    closed_at: Instant | None
    cash_minor: int
    issued_minor: int | None
    """Vouchers that the cashier issued, without bonus."""
    voided_minor: int | None
    redeemed_minor: int | None
    deposited_minor: int | None
    withdrawn_minor: int | None
    cashed_out_minor: int | None
    expected_minor: int | None
    counted_minor: int | None
    difference_minor: int | None


class OneShift(Answer):
    """A shift."""

    shift: Shift


class Shifts(Answer):
    """A page of shifts, the newest first."""

    items: list[Shift]
    next_cursor: str | None


async def open_shift(call: Call, body: OpenBody) -> OneShift:
    """POST /admin/shifts/open."""
    code, shift_id, tenant_id = await call.row(OPEN, (call.ledger_id, call.caller.id, body.cash_minor))
    refuse(code)
    call.audit("shift.opened", subject=str(shift_id), tenant_id=tenant_id, after={"cashMinor": body.cash_minor})
    return OneShift(shift=_shift(await call.row(ONE, (call.ledger_id, shift_id))))


async def close_shift(call: Call, body: CloseBody) -> OneShift:
    """POST /admin/shifts/close."""
    rows = await call.rows(CLOSE, (call.ledger_id, call.caller.id, body.counted_minor))
    if not rows:
        raise Refused("SHIFT_NOT_OPEN")
    shift = _shift(rows[0])
    after = {"countedMinor": shift.counted_minor, "differenceMinor": shift.difference_minor}
    call.audit("shift.closed", subject=shift.shift_id, tenant_id=rows[0][3], after=after)
    return OneShift(shift=shift)


async def page(call: Call, query: Page) -> Shifts:
    """GET /admin/shifts: a cashier's own; an auditor sees those of the tenant."""
    own = call.caller.id if call.caller.role == permissions.CASHIER else None
    parameters = {"ledger": call.ledger_id, "staff": own, **lists.parameters(query)}
    rows, next_cursor = lists.cut(await call.rows(PAGE, parameters), query, place=lambda row: (row[1], row[0]))
    return Shifts(items=[_shift(row) for row in rows], next_cursor=next_cursor)


def _shift(row: tuple[Any, ...]) -> Shift:
    (
        shift_id, opened_at, staff_id, _, closed_at, cash, issued, voided, redeemed, deposited, withdrawn, cashed_out,
        counted,
    ) = row  # fmt: skip
    is_open = closed_at is None
    expected = None if is_open else cash + issued + deposited - voided - withdrawn - cashed_out
    return Shift(
        shift_id=shift_id, staff_id=staff_id, opened_at=instant(opened_at), closed_at=moment(closed_at),
        cash_minor=cash, issued_minor=issued, voided_minor=voided, redeemed_minor=redeemed, deposited_minor=deposited,
        withdrawn_minor=withdrawn, cashed_out_minor=cashed_out, expected_minor=expected, counted_minor=counted,
        difference_minor=None if expected is None else counted - expected,
    )  # fmt: skip
