"""How often the players' safety asked for action, by day, type and reason."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from casino.api.call import Call
from casino.api.errors import invalid
from casino.api.local_times import A_TIME, read_instant, start_of
from casino.api.types import Answer, Body, Shape

DAYS: Final = 30
DAYS_MAX: Final = 5_000
DAY: Final = timedelta(days=1)
OF_OWNERS: Final = "America/Los_Angeles"
NOW: Final = """
    select casino.clock(), (select timezone from casino.tenants where ledger_id = %s and tenant_id = %s)
"""
_TAKEN: Final = "from casino.safety_actions where ledger_id = %(ledger)s and at >= %(begin)s and at < %(end)s"
BY_DAY: Final = f"select (at at time zone %(zone)s)::date, count(*) {_TAKEN} group by 1"
BY_TYPE: Final = f"select action_type, count(*) {_TAKEN} group by 1 order by 2 desc, 1"
BY_REASON: Final = f"""
    select reason, count(*) from (select unnest(reasons) as reason {_TAKEN}) as given group by 1 order by 2 desc, 1
"""  # noqa: S608 - constants
TOTALS: Final = f"""
    select
        count(distinct player_id), count(distinct play_session_id), count(*) filter (where 'LOSS_LIMIT' = any (reasons))
    {_TAKEN}
"""


class SummaryQuery(Body):
    """Of when: dates are days of the caller's tenant, `to` included; instants have an offset, `to` excluded."""

    from_: Annotated[str, Meta(max_length=64)] | None = msgspec.field(name="from", default=None)
    to: Annotated[str, Meta(max_length=64)] | None = None


class OfDay(Shape):
    """The actions of a local day. `t`: its beginning, with its offset."""

    t: str
    count: int


class OfType(Shape):
    """The actions of a type."""

    action_type: str
    count: int


class OfReason(Shape):
    """The actions that have a reason. An action with two reasons counts in both."""

    reason: str
    count: int


class Summary(Answer):
    """The actions of the range. Every day of it is there."""

    actions_over_time: list[OfDay]
    actions_by_type: list[OfType]
    actions_by_reason: list[OfReason]
    unique_players_affected: int
    sessions_affected: int
    loss_limit_stops: int
    """Bets that a loss limit refused."""


async def show(call: Call, query: SummaryQuery) -> Summary:
    """GET /admin/safety/summary."""
    now, timezone = await call.row(NOW, (call.ledger_id, call.caller.tenant_id))
    zone = ZoneInfo(timezone or OF_OWNERS)
    begin, end = _range(query, zone, now)
    values = {"ledger": call.ledger_id, "begin": begin, "end": end, "zone": zone.key}
    by_day: dict[date, int] = dict(await call.rows(BY_DAY, values))
    players, sessions, stops = await call.row(TOTALS, values)
    return Summary(
        actions_over_time=[
            OfDay(t=start_of(day, zone).isoformat(), count=by_day.get(day, 0)) for day in _days(begin, end, zone)
        ],
        actions_by_type=[OfType(action_type=kind, count=count) for kind, count in await call.rows(BY_TYPE, values)],
        actions_by_reason=[OfReason(reason=why, count=count) for why, count in await call.rows(BY_REASON, values)],
        unique_players_affected=players,
        sessions_affected=sessions,
        loss_limit_stops=stops,
    )


def _range(query: SummaryQuery, zone: ZoneInfo, now: datetime) -> tuple[datetime, datetime]:
    """Returns the first instant, and the first one behind it. Raises Refused(INVALID_FIELD)."""
    today = now.astimezone(zone).date()
    try:
        end = start_of(today + DAY, zone) if query.to is None else read_instant("to", query.to, zone, days=1)
        last = (end.astimezone(zone) - timedelta(microseconds=1)).date()
        first = start_of(last - (DAYS - 1) * DAY, zone)
        begin = first if query.from_ is None else read_instant("from", query.from_, zone)
    except OverflowError:
        raise invalid("from", A_TIME) from None
    if begin >= end:
        raise invalid("from", "`from` is not before `to`")
    if end - begin > DAYS_MAX * DAY:
        raise invalid("from", f"A summary has at most {DAYS_MAX} days")
    return begin, end


def _days(begin: datetime, end: datetime, zone: ZoneInfo) -> list[date]:
    first = begin.astimezone(zone).date()
    last = (end - timedelta(microseconds=1)).astimezone(zone).date()
    return [first + number * DAY for number in range((last - first).days + 1)]
