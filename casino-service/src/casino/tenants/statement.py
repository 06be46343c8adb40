"""Shows a tenant's statement: what its float held, each entry with the balance after it, and what it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta
from starlette.responses import Response

from casino.api.call import Call
from casino.api.errors import invalid
from casino.api.local_times import A_TIME, is_day, read_instant
from casino.api.tables import csv_answer, wants_csv
from casino.api.types import Answer, Instant, Page, Shape, instant
from casino.tenants import queries

DAYS: Final = timedelta(days=30)
CSV_ROWS_MAX: Final = 50_000
FAR_AWAY: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""The end of a statement without an end."""


class StatementQuery(Page):
    """Of when: dates are days of the tenant's time zone, instants have an offset."""

    from_: Annotated[str, Meta(max_length=64)] | None = msgspec.field(name="from", default=None)
    to: Annotated[str, Meta(max_length=64)] | None = None


class Item(Shape):
    """One entry of the float."""

    at: Instant
    kind: str
    amount_minor: int
    balance_minor: int
    counterparty: str | None
    actor_id: str | None
    reason: str | None
    reference: str | None


class Statement(Answer):
    """A page of a statement."""

    currency: str
    opening_minor: int
    closing_minor: int
    items: list[Item]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Span:
    """Numbers of entries: the first of the statement, the first of this page, the one behind the last."""

    first: int
    page: int
    end: int


async def show(call: Call, query: StatementQuery) -> Statement | Response:
    """The statement of a tenant that the caller sees, oldest first."""
    tenant = {"ledger_id": call.ledger_id, "tenant_id": call.path["tenant_id"]}
    timezone, currency, now = await call.row(queries.OF_STATEMENT, tenant)
    times = _range(query, timezone, now)
    span = Span(*map(int, query.cursor.split("."))) if query.cursor else await _span(call, tenant, times)
    as_csv = wants_csv(call.headers.get("accept"))
    limit = CSV_ROWS_MAX if as_csv else query.limit
    rows = await call.rows(queries.ENTRIES, {**tenant, "first": span.page, "end": span.end, "limit": limit + 1})
    items = [_item(row) for row in rows[:limit]]
    if as_csv and len(rows) > limit:
        raise invalid("from", f"A table has at most {CSV_ROWS_MAX} rows")
    if as_csv:
        header = [field.encode_name for field in msgspec.structs.fields(Item)]
        return csv_answer(header, (msgspec.structs.astuple(item) for item in items))
    return Statement(
        currency=currency,
        opening_minor=await _balance(call, tenant, span.first - 1),
        closing_minor=await _balance(call, tenant, span.end - 1),
        items=items,
        next_cursor=f"{span.first}.{rows[limit][0]}.{span.end}" if len(rows) > limit else None,
    )


async def _span(call: Call, tenant: dict[str, Any], times: tuple[datetime, datetime]) -> Span:
    rows = await call.rows(queries.RANGE, {**tenant, "from": times[0], "until": times[1]})
    first, end = rows[0] if rows else (1, 1)
    return Span(min(first, end), min(first, end), end)


async def _balance(call: Call, tenant: dict[str, Any], number: int) -> int:
    """What the float held after the entry of this number; 0 before the first one."""
    rows = await call.rows(queries.BALANCE, {**tenant, "number": number})
    return int(rows[0][0]) if rows else 0


def _range(query: StatementQuery, timezone: str, now: datetime) -> tuple[datetime, datetime]:
    """Returns the first instant of the statement, and the first one behind it."""
    zone = ZoneInfo(timezone)
    until = read_instant("to", query.to, zone, days=1) if query.to is not None else None
    try:
        begin = (until or now) - DAYS if query.from_ is None else read_instant("from", query.from_, zone)
    except OverflowError:
        raise invalid("from", A_TIME) from None
    if until is not None and (begin > until or (is_day(query.to or "") and begin == until)):
        raise invalid("from", "`from` is after `to`")
    return begin, until or FAR_AWAY


def _item(row: Sequence[Any]) -> Item:
    _, at, kind, amount, balance, counterparty, actor_id, reason, reference = row
    return Item(
        at=instant(at), kind=kind.upper(), amount_minor=amount, balance_minor=balance, counterparty=counterparty,
        actor_id=actor_id, reason=reason, reference=reference,
    )  # fmt: skip
