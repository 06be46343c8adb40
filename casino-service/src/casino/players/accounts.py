"""Reads players with everything that staff sees of them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

from casino.api import lists
from casino.api.call import Call
from casino.api.types import Page, instant
from casino.players.shapes import (
    Bonus,
    Exclusion,
    LedgerItem,
    Limit,
    OnePlayer,
    Player,
    Players,
    limit_of,
    moment,
)  # fmt: skip
from casino.safety import actions
from casino.safety.actions import SafetyAction

LEDGER_ITEMS_MAX: Final = 50
Changes = dict[str, Any]
_PLAYERS: Final = """
    select
        player.player_id, player.created_at, player.wallet_id, player.tenant_id,
        casino.player_status(player.status, wallet.excluded_until, casino.clock()), wallet.currency,
        wallet.balance_minor, bonus.amount_minor, bonus.state, wallet.excluded_until > casino.clock(),
        nullif(wallet.excluded_until, 'infinity'), player.cashier_id
    from casino.players as player
    join casino.wallets as wallet on wallet.ledger_id = player.ledger_id and wallet.wallet_id = player.wallet_id
    left join lateral (
        select amount_minor, state from casino.bonuses
        where ledger_id = player.ledger_id and wallet_id = player.wallet_id order by bonus_id desc limit 1
    ) as bonus on true
    where player.ledger_id = %(ledger)s
"""
ONE: Final = _PLAYERS + " and player.player_id = %(player)s"
PAGE: Final = (
    _PLAYERS
    + " and (player.created_at, player.player_id) < (%(before_at)s, %(before_id)s)"
    + " order by player.created_at desc, player.player_id desc limit %(limit)s"
)
TENANT: Final = "select tenant_id from casino.players where ledger_id = %s and player_id = %s"
LIMITS: Final = """
    select player_id, limit_id, kind, period, value, status, effective_at, play_session_id::text
    from casino.player_limits
    where ledger_id = %(ledger)s and player_id = any (%(players)s) and (
        (status = 'ACTIVE' and value is not null and casino.limit_status(player_limits) = 'ACTIVE')
        or (status = 'PENDING' and effective_at > casino.clock() - interval '7 days')
    )
    order by kind, period, status, limit_id
"""
LEDGER: Final = """
    select
        entry.recorded_at, entry.kind, entry.amount_minor * kind.direction, entry.balance_after_minor,
        entry.round_id, entry.reason, ltrim(entry.transaction_id, '§')
    from casino.transactions as entry
    join casino.entry_kinds as kind on kind.entry_kind = entry.kind
    where entry.ledger_id = %s and entry.wallet_id = %s and entry.sequence_no is not null
    order by entry.sequence_no desc
    limit %s
"""


async def one(call: Call, _: Any) -> OnePlayer:
    """GET /admin/players/{player_id}."""
    return OnePlayer(player=await read_player(call, call.path["player_id"], with_ledger=True))


async def page(call: Call, query: Page) -> Players:
    """GET /admin/players."""
    rows = await call.rows(PAGE, {"ledger": call.ledger_id, **lists.parameters(query)})
    found, next_cursor = lists.cut(rows, query, place=lambda row: (row[1], row[0]))
    ids = [row[0] for row in found]
    limits = await read_limits(call, ids)
    taken = await actions.of_players(call, ids, most=actions.OF_EACH_PLAYER_MAX)
    return Players(items=[_player(row, limits, taken) for row in found], next_cursor=next_cursor)


async def read_player(call: Call, player_id: str, *, with_ledger: bool = False) -> Player:
    """The player in the caller's view. Raises Refused(NOT_FOUND)."""
    row = await call.row(ONE, {"ledger": call.ledger_id, "player": player_id})
    taken = await actions.of_players(call, [player_id], most=actions.OF_ONE_PLAYER_MAX)
    player = _player(row, await read_limits(call, [player_id]), taken)
    if with_ledger:
        entries = await call.rows(LEDGER, (call.ledger_id, row[2], LEDGER_ITEMS_MAX))
        player.ledger = [_item(entry) for entry in entries]
    return player


async def read_limits(call: Call, player_ids: list[str]) -> dict[str, list[Limit]]:
    """The limits of players, in force and asked for, by player."""
    limits = defaultdict(list)
    for row in await call.rows(LIMITS, {"ledger": call.ledger_id, "players": player_ids}):
        limits[row[0]].append(limit_of(row[1:]))
    return limits


async def note(call: Call, action: str, player_id: str, *, after: Changes, before: Changes | None = None) -> None:
    """Say in the audit trail of the player's tenant what was done to a player."""
    (tenant_id,) = await call.row(TENANT, (call.ledger_id, player_id))
    call.audit(action, subject=player_id, tenant_id=tenant_id, before=before, after=after)


def own_id(call: Call) -> str:
    """The id of the player who calls."""
    if call.caller.id is None:
        raise RuntimeError("a route for players has a player")
    return call.caller.id


def _player(row: tuple[Any, ...], limits: dict[str, list[Limit]], taken: dict[str, list[SafetyAction]]) -> Player:
    player_id, _, _, tenant_id, status, currency, balance, bonus, state, is_excluded, until, issued_by = row
    return Player(
        player_id=player_id, tenant_id=tenant_id, status=status, currency=currency, balance_minor=balance,
        bonus=None if bonus is None else Bonus(amount_minor=bonus, state=state), limits=limits.get(player_id, []),
        safety_actions=taken.get(player_id, []), exclusion=Exclusion(until=moment(until)) if is_excluded else None,
        issued_by=issued_by,
    )  # fmt: skip


def _item(row: tuple[Any, ...]) -> LedgerItem:
    at, kind, amount, balance, round_id, reason, reference = row
    return LedgerItem(
        at=instant(at), kind=kind, amount_minor=amount, balance_minor=balance, round_id=round_id, reason=reason,
        reference=reference,
    )  # fmt: skip
