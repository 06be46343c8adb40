"""The SQL statements of the auditing commands. The rules are in the SQL functions that they call."""

from __future__ import annotations

from typing import Final

LEDGER: Final = """
    select
        ledger.tenant_id, count(wallet.wallet_id) as wallets,
        coalesce(sum(wallet.sequence_no), 0)::bigint as transactions
    from casino.ledgers as ledger
    left join casino.wallets as wallet on wallet.ledger_id = ledger.ledger_id
    where ledger.ledger_id = %s
    group by ledger.tenant_id
"""

WALLETS: Final = """
    select wallet_id, sequence_no from casino.wallets
    where ledger_id = %s and wallet_id > %s
    order by wallet_id
    limit %s
"""

# The first row of each rule, in the order of wallets and their chains, and the number of rows.
_FIRST_OF_EACH_RULE: Final = """
    select distinct on (found.o_rule)
        found.o_rule as rule, wallet.player_id, found.o_transaction_id as transaction_id,
        found.o_expected as expected, found.o_found as found, count(*) over (partition by found.o_rule) as rows
    from casino.{source} as found
    left join casino.wallets as wallet
        on wallet.ledger_id = found.o_ledger_id and wallet.wallet_id = found.o_wallet_id
    left join lateral (
        select min(entry.sequence_no) as sequence_no from casino.transactions as entry
        where entry.ledger_id = found.o_ledger_id and entry.wallet_id = found.o_wallet_id
            and entry.transaction_id = found.o_transaction_id
    ) as entry on true
    order by found.o_rule, found.o_wallet_id, entry.sequence_no, found.o_transaction_id
"""
WALLET_DIFFERENCES: Final = _FIRST_OF_EACH_RULE.format(source="wallet_differences(%s::integer, %s::bigint, %s::bigint)")
LEDGER_WIDE_DIFFERENCES: Final = _FIRST_OF_EACH_RULE.format(source="ledger_wide_differences(%s::integer)")

HEAD_DIFFERENCES: Final = """
    select
        'recorded_head_is_in_the_chain' as rule, head.user_id as player_id, head.transaction_id,
        casino.head(head.sequence_no, decode(head.entry_hash, 'hex')) as expected,
        case
            when wallet.wallet_id is null then 'no such player'
            else coalesce(casino.head(entry.sequence_no, entry.entry_hash), 'no such transaction')
        end as found,
        1 as rows
    from unnest(%(users)s::text [], %(sequences)s::bigint [], %(hashes)s::text [], %(transactions)s::text [])
        with ordinality as head (user_id, sequence_no, entry_hash, transaction_id, place)
    left join casino.wallets as wallet
        on wallet.ledger_id = %(ledger_id)s and wallet.player_id = head.user_id
    left join lateral ( -- the entry of another provider may have the id, too
        select entry.sequence_no, entry.entry_hash from casino.transactions as entry
        where entry.ledger_id = wallet.ledger_id and entry.wallet_id = wallet.wallet_id
            and entry.transaction_id = head.transaction_id
        order by entry.sequence_no is distinct from head.sequence_no, entry.sequence_no
        limit 1
    ) as entry on true
    where (entry.sequence_no, entry.entry_hash) is distinct from (head.sequence_no, decode(head.entry_hash, 'hex'))
    order by head.place
"""

ENTRY: Final = """
    select
        entry.*, wallet.player_id, session.provider_session_id, session.game_code,
        session.opened_at as session_opened_at, session.expires_at as session_expires_at,
        session.closed_at as session_closed_at,
        round.opened_at as round_opened_at, round.closed_at as round_closed_at,
        coalesce(feed.state, entry.state) as state_now, casino.head(entry.sequence_no, entry.entry_hash) as head
    from casino.wallets as wallet
    join casino.transactions as entry
        on entry.ledger_id = wallet.ledger_id and entry.wallet_id = wallet.wallet_id
        and entry.transaction_id = %(transaction_id)s
    left join casino.provider_feed as feed
        on feed.ledger_id = entry.ledger_id and feed.provider_id = entry.provider_id
        and feed.feed_position = entry.feed_position
    left join casino.game_sessions as session
        on session.ledger_id = entry.ledger_id and session.session_id = entry.session_id
    left join casino.rounds as round
        on round.ledger_id = entry.ledger_id and round.wallet_id = entry.wallet_id and round.round_id = entry.round_id
        and round.provider_id = entry.provider_id
    where wallet.ledger_id = %(ledger_id)s and (%(player_id)s::text is null or wallet.player_id = %(player_id)s::text)
    order by wallet.player_id, entry.provider_id
"""

TOMBSTONES: Final = """
    select wallet.player_id, stone.*
    from casino.wallets as wallet
    join casino.tombstones as stone
        on stone.ledger_id = wallet.ledger_id and stone.wallet_id = wallet.wallet_id
        and stone.transaction_id = %(transaction_id)s
    where wallet.ledger_id = %(ledger_id)s and (%(player_id)s::text is null or wallet.player_id = %(player_id)s::text)
    order by wallet.player_id
"""

POSTINGS: Final = """
    select account, amount_minor, currency from casino.postings
    where ledger_id = %(ledger_id)s and wallet_id = %(wallet_id)s and transaction_id = %(transaction_id)s
        and provider_id = %(provider_id)s
    order by account desc
"""

# Transactions that may have changed the state: those that name it, and the credits of its round.
FOLLOWERS: Final = """
    select
        kind, transaction_id, amount_minor, tombstone, already_rolled_back, request_id, signed_by, recorded_at,
        sequence_no, related_transaction_id is not distinct from %(transaction_id)s::text as names_it
    from casino.transactions
    where ledger_id = %(ledger_id)s and wallet_id = %(wallet_id)s and provider_id = %(provider_id)s
        and sequence_no is not null and (
            related_transaction_id = %(transaction_id)s::text
            or (kind = 'credit' and round_id = %(round_id)s::text and %(kind)s::text = 'debit')
        )
    order by sequence_no
"""

ATTEMPTS: Final = """
    select attempt, times, first_at, last_at, last_request_id, last_refusal from casino.attempts
    where ledger_id = %(ledger_id)s and wallet_id = %(wallet_id)s and transaction_id = %(transaction_id)s
        and provider_id = %(provider_id)s
    order by attempt
"""
