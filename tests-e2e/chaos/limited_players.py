"""Players whose losses are counted while everything breaks: at the end each counter is what the books say.

A bet that was booked twice, or counted and never booked, would show here, and so would a limit that was passed.
"""

from typing import Final

from e2e_testing.database import Database

COUNT = """
    select casino.begin_counting(ledger_id, players)::text from casino.players where player_id = %(player)s
"""
FAR_AWAY: Final = "update casino.limit_counters set month_loss_max_minor = 1000000000000"
COUNTED: Final = """
    select
        wallet.player_id, counter.month_loss_minor as counted_minor, (
            select coalesce(sum(case kind when 'debit' then amount_minor else - amount_minor end), 0)
            from casino.transactions as entry
            where entry.ledger_id = counter.ledger_id and entry.wallet_id = counter.wallet_id
                and entry.kind in ('debit', 'credit') and entry.state = 'committed'
                and entry.recorded_at >= counter.month_from
        ) as lost_minor
    from casino.limit_counters as counter join casino.wallets as wallet using (ledger_id, wallet_id)
"""
PASSED: Final = """
    select player_id, most_minor, max(lost_minor) as lost_minor
    from (
        select
            wallet.player_id, least(counter.day_loss_max_minor, play.loss_limit_minor) as most_minor, entry.kind,
            sum(case entry.kind when 'debit' then entry.amount_minor else - entry.amount_minor end)
            over (partition by wallet.player_id order by entry.sequence_no) as lost_minor
        from casino.limit_counters as counter
        join casino.wallets as wallet using (ledger_id, wallet_id)
        left join casino.play_sessions as play
            on play.ledger_id = counter.ledger_id and play.play_session_id = counter.play_session_id
        join casino.transactions as entry
            on entry.ledger_id = counter.ledger_id and entry.wallet_id = counter.wallet_id
            and entry.kind in ('debit', 'credit', 'rollback') and entry.sequence_no is not null
        where least(counter.day_loss_max_minor, play.loss_limit_minor) is not null
    ) as moved
    where kind = 'debit'
    group by player_id, most_minor
    having max(lost_minor) >= most_minor
"""
"""Of players who set their limits before their first bet, and play for less than a day."""


def count(database: Database, player_id: str) -> None:
    """Count what a player loses, with a limit that is never reached."""
    database.rows(COUNT, player=player_id)
    database.change(FAR_AWAY)


def findings(database: Database) -> list[str]:
    """Counters that are not what the books say, and limits that were passed."""
    counted = database.rows(COUNTED)
    found = [f"no bet of a limited player was counted: {counted}"] * (not any(row["counted_minor"] for row in counted))
    found += [f"counted and booked differ: {row}" for row in counted if row["counted_minor"] != row["lost_minor"]]
    return found + [f"a limit was passed: {row}" for row in database.rows(PASSED)]
