"""The ledger kernel, the tree of tenants and the ids of providers: see 0011_kernel.sql."""

from __future__ import annotations

from typing import Any, Final

import psycopg

from shared_service.postgres.revisions import change_indexes, steps_beside

revision = "0011"
down_revision = "0010"

PAGE: Final = 5_000

TELL: Final = """
    with page as materialized ({page}),
    told as (
        insert into casino.ledger_events (
            ledger_id, at, tenant_id, event_type, action_id, player_id, session_id, round_id, game_key, provider_id,
            amount_minor, currency, code
        )
        select
            event.ledger_id, event.at, event.tenant_id, event.event_type, event.action_id, event.player_id,
            event.session_id, event.round_id, event.game_key, event.provider_id, event.amount_minor, event.currency,
            event.code
        from page
        cross join lateral (
            select * from casino.events_of_transactions
            where ledger_id = %(ledger)s and wallet_id = page.wallet_id and transaction_id = page.transaction_id
            limit 1
        ) as event
        on conflict do nothing
    )
    select max(place) from page
"""
"""Copies one page. `page` selects at most `PAGE` transactions behind the place `after`."""
WIRE_TRANSACTIONS: Final = """
    select wallet_id, transaction_id, feed_position as place from casino.transactions
    where ledger_id = %(ledger)s and feed_position > %(after)s
    order by feed_position
    limit %(page)s
"""
DEPOSITS: Final = """
    select wallet_id, '§opening-balance' as transaction_id, wallet_id as place from casino.wallets
    where ledger_id = %(ledger)s and wallet_id > %(after)s
    order by wallet_id
    limit %(page)s
"""
"""Before this revision every deposit was an opening balance."""
UNSIGNED_INDEX: Final = """
    create index concurrently transactions_fed_unsigned on casino.transactions (ledger_id)
    where entry_formula > 1 and feed_position is not null and coalesce(signed_by, '') = ''
"""


def upgrade() -> None:
    """Take the steps of the SQL file, then copy the events, then build an index, all beside running bets.

    Each is a transaction of its own. A table that stays in use ends the revision, and it is begun again.
    """
    with steps_beside(__file__) as connection:
        _tell_of_the_past(connection)
        connection.execute("drop index if exists casino.transactions_fed_unsigned")
        change_indexes(connection, UNSIGNED_INDEX)


def _tell_of_the_past(connection: psycopg.Connection[Any]) -> None:
    """Copy what was booked before the trigger was there, page by page, each in a transaction of its own."""
    for (ledger_id,) in connection.execute("select ledger_id from casino.ledgers").fetchall():
        for page in (WIRE_TRANSACTIONS, DEPOSITS):
            after: int | None = 0
            while after is not None:
                values = {"ledger": ledger_id, "after": after, "page": PAGE}
                row = connection.execute(TELL.format(page=page).encode(), values).fetchone()
                after = row[0] if row else None
