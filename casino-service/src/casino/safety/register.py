"""The register of responsible gambling: limits and exclusions of players, and who set each of them when."""

from __future__ import annotations

from typing import Any, Final

from casino.api import lists
from casino.api.call import Call
from casino.api.types import Answer, Instant, Shape, instant
from casino.safety.actions import ActionsQuery

LIMITS: Final = """
    select
        made_at, limit_id::text, tenant_id, player_id, kind, period, value,
        casino.limit_status(player_limits), effective_at, made_by_kind, made_by, confirmed_at, replaced_at,
        play_session_id::text, reason
    from casino.player_limits
    where ledger_id = %(ledger)s and (made_at, limit_id::text collate "C") < (%(before_at)s, %(before_id)s)
        and (%(player)s::text is null or player_id = %(player)s)
    order by made_at desc, limit_id::text collate "C" desc limit %(limit)s
"""
EXCLUSIONS: Final = """
    select
        made_at, exclusion_id::text, tenant_id, player_id, period, nullif(excluded_until, 'infinity'), reason,
        made_by_kind, made_by,
        exists (
            select from casino.wallets
            where wallets.ledger_id = wish.ledger_id and wallets.player_id = wish.player_id
                and wallets.excluded_until = wish.excluded_until and wallets.excluded_until > casino.clock()
        ) and not exists (
            select from casino.player_exclusions as older
            where older.ledger_id = wish.ledger_id and older.player_id = wish.player_id
                and older.made_at < wish.made_at and older.excluded_until = wish.excluded_until
        )
    from casino.player_exclusions as wish
    where ledger_id = %(ledger)s and (made_at, exclusion_id::text collate "C") < (%(before_at)s, %(before_id)s)
        and (%(player)s::text is null or player_id = %(player)s)
    order by made_at desc, exclusion_id::text collate "C" desc limit %(limit)s
"""


class RegisterQuery(ActionsQuery):
    """Whose entries."""


class Maker(Shape):
    """Who asked for it: a player, a member of staff, or an API key, which has the id of its maker."""

    kind: str
    id: str


class LimitEntry(Shape):
    """A limit that was asked for: ACTIVE, PENDING, REPLACED by another one, or ENDED with its play session."""

    limit_id: str
    tenant_id: str
    player_id: str
    kind: str
    period: str
    value: int | None
    """Minor units, of kind time minutes. None: no such limit."""
    status: str
    effective_at: Instant
    made_by: Maker
    made_at: Instant
    confirmed_at: Instant | None
    """When the player confirmed it, where that was needed."""
    replaced_at: Instant | None
    reason: str | None
    """Of staff."""
    session_id: str | None
    """Of period session: the play session."""


class Limits(Answer):
    """A page of limits, the newest first."""

    items: list[LimitEntry]
    next_cursor: str | None


class ExclusionEntry(Shape):
    """An exclusion that was asked for. One of a player's is in force at a time."""

    exclusion_id: str
    tenant_id: str
    player_id: str
    period: str | None
    """P7D, P1M, P6M or PERMANENT. None: of a release before."""
    until: Instant | None
    """When it ends, or would have ended. None: never."""
    is_in_force: bool
    reason: str | None
    made_by: Maker
    made_at: Instant


class Exclusions(Answer):
    """A page of exclusions, the newest first."""

    items: list[ExclusionEntry]
    next_cursor: str | None


async def limits(call: Call, query: RegisterQuery) -> Limits:
    """GET /admin/safety/limits."""
    rows, next_cursor = await _page(call, LIMITS, query)
    items = [
        LimitEntry(
            limit_id=limit_id, tenant_id=tenant_id, player_id=player_id, kind=kind, period=period, value=value,
            status=status, effective_at=instant(effective_at), made_by=Maker(kind=by_kind, id=by),
            made_at=instant(made_at), confirmed_at=confirmed_at and instant(confirmed_at),
            replaced_at=replaced_at and instant(replaced_at), session_id=session_id, reason=reason,
        )
        for made_at, limit_id, tenant_id, player_id, kind, period, value, status, effective_at, by_kind, by,
            confirmed_at, replaced_at, session_id, reason in rows
    ]  # fmt: skip
    return Limits(items=items, next_cursor=next_cursor)


async def exclusions(call: Call, query: RegisterQuery) -> Exclusions:
    """GET /admin/safety/exclusions."""
    rows, next_cursor = await _page(call, EXCLUSIONS, query)
    items = [
        ExclusionEntry(
            exclusion_id=exclusion_id, tenant_id=tenant_id, player_id=player_id, period=period,
            until=until and instant(until), is_in_force=is_in_force, reason=reason,
            made_by=Maker(kind=by_kind, id=by), made_at=instant(made_at),
        )
        for made_at, exclusion_id, tenant_id, player_id, period, until, reason, by_kind, by, is_in_force in rows
    ]  # fmt: skip
    return Exclusions(items=items, next_cursor=next_cursor)


async def _page(call: Call, statement: str, query: RegisterQuery) -> tuple[list[tuple[Any, ...]], str | None]:
    values = {"ledger": call.ledger_id, "player": query.player_id, **lists.parameters(query)}
    return lists.cut(await call.rows(statement, values), query, place=lambda row: (row[0], row[1]))
