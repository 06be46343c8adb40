"""The rounds of a player, the newest first."""

from __future__ import annotations

from typing import Final

from casino.api import lists
from casino.api.call import Call
from casino.api.types import Answer, Instant, Page, Shape, instant
from casino.players.accounts import own_id

HISTORY: Final = """
    with own as (
        select wallet_id from casino.players where ledger_id = %(ledger)s and player_id = %(player)s
    ),
    page as materialized (
        select round.*, round.round_id || ' ' || round.provider_id as place
        from casino.rounds as round
        where round.ledger_id = %(ledger)s and round.wallet_id = (select wallet_id from own)
            and round.opened_at > '-infinity' and round.opened_at <= %(before_at)s
            and (round.opened_at, round.round_id || ' ' || round.provider_id) < (%(before_at)s, %(before_id)s)
        order by round.opened_at desc, place desc
        limit %(limit)s
    ),
    newest as (
        select distinct on (entry.round_id, entry.provider_id)
            entry.round_id, entry.provider_id, entry.balance_after_minor
        from own
        join casino.transactions as entry on entry.ledger_id = %(ledger)s and entry.wallet_id = own.wallet_id
        where entry.sequence_no is not null and entry.round_id in (select page.round_id from page)
        order by entry.round_id, entry.provider_id, entry.sequence_no desc
    )
    select
        page.opened_at, page.place, page.round_id, session.game_code, page.staked_minor, page.paid_minor,
        case when page.credits > 0 then 'ENDED' when page.live_debits = 0 then 'ROLLED_BACK' else 'OPEN' end,
        newest.balance_after_minor
    from page
    join casino.game_sessions as session on session.ledger_id = %(ledger)s and session.session_id = page.session_id
    left join newest on newest.round_id = page.round_id and newest.provider_id = page.provider_id
    order by page.opened_at desc, page.place desc
"""


class Round(Shape):
    """A round: OPEN, ENDED or ROLLED_BACK. The balance is that after its newest entry."""

    round_id: str
    game_code: str
    at: Instant
    stake_minor: int
    win_minor: int
    state: str
    balance_minor: int | None


class History(Answer):
    """A page of the player's rounds, the newest first."""

    items: list[Round]
    next_cursor: str | None


async def history(call: Call, query: Page) -> History:
    """GET /player/history."""
    parameters = {"ledger": call.ledger_id, "player": own_id(call), **lists.parameters(query)}
    rows, next_cursor = lists.cut(await call.rows(HISTORY, parameters), query, place=lambda row: (row[0], row[1]))
    items = [
        Round(
            round_id=round_id, game_code=game_code, at=instant(at), stake_minor=staked, win_minor=paid, state=state,
            balance_minor=balance,
        )
        for at, _, round_id, game_code, staked, paid, state, balance in rows
    ]  # fmt: skip
    return History(items=items, next_cursor=next_cursor)
