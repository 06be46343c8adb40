"""Tampering that leaves every hash right: rows moved out of the feed, postings moved between house accounts."""

from __future__ import annotations

from typing import Final

from casino_testing.tampering import (
    BET,
    FED,
    HEAD,
    HOUSE,
    INSERT_A_WIN,
    ONCE,
    POSTING,
    RISE,
    Tampering,
    at,
)

FORGE_A_WIN: Final = INSERT_A_WIN + "select pg_temp.rehash('1', 8);"
MOVE: Final = """
    update casino.transactions set feed_position = {to} where transaction_id = '{transaction}';
"""
SWAP: Final = """
    create temp table swapped as
    select transaction_id, min(feed_position) over () + max(feed_position) over () - feed_position as feed_position
    from casino.transactions where transaction_id in ('bet', 'undone bet');
    update casino.transactions set feed_position = -feed_position where transaction_id in ('bet', 'undone bet');
    update casino.transactions as entry set feed_position = swapped.feed_position
    from swapped where swapped.transaction_id = entry.transaction_id;
"""
TAKE_A_POSITION_TWICE: Final = """
    drop index casino.transactions_feed_of_provider;
""" + MOVE.format(
    to="(select feed_position from casino.transactions where transaction_id = 'stone')", transaction="their bet"
)
SPLIT_THE_HOUSE: Final = """
    update casino.postings set amount_minor = 600 where transaction_id = 'bet' and account = 'house_games';
    insert into casino.postings (ledger_id, wallet_id, transaction_id, account, tenant_id, amount_minor, currency)
    select ledger_id, wallet_id, transaction_id, 'house_cash', tenant_id, 400, currency
    from casino.postings where transaction_id = 'bet' and account = 'house_games';
"""
POST_A_WIN_TWICE: Final = """
    alter table casino.postings drop constraint postings_pkey;
    insert into casino.postings select * from casino.postings where transaction_id = 'payout';
    update casino.wallets set balance_minor = balance_minor + 500 where player_id = '1';
"""
MOVE_A_POSTING: Final = """
    update casino.postings set account = '{to}'
    where account = '{since}' and wallet_id = (select wallet_id from casino.wallets where player_id = '1')
"""

REMOVE_A_WALLET: Final = "delete from casino.ledger_events where player_id = '2';" + "".join(
    f"delete from casino.{table} where wallet_id = (select wallet_id from casino.wallets where player_id = '2');"
    for table in ("postings", "transactions", "rounds", "tombstones", "attempts", "game_sessions", "wallets")
)
INVENT_A_DEPOSIT: Final = """
    insert into casino.transactions (
        ledger_id, wallet_id, transaction_id, tenant_id, kind, amount_minor, currency, state, balance_after_minor,
        sequence_no, entry_formula, entry_hash, request_id, recorded_at
    )
    select ledger_id, wallet_id, 'gift', tenant_id, 'deposit', 5000, currency, 'committed', balance_minor + 5000,
        sequence_no + 1, 2, sha256(''), 'x', now()
    from casino.wallets where player_id = '2';
    insert into casino.postings (ledger_id, wallet_id, transaction_id, account, tenant_id, amount_minor, currency)
    select ledger_id, wallet_id, 'gift', side.account, tenant_id, side.amount, 'USD'
    from casino.wallets cross join (values ('wallet', 5000), ('house_cash', -5000)) as side (account, amount)
    where player_id = '2';
    insert into casino.ledger_events (
        ledger_id, at, tenant_id, event_type, action_id, player_id, amount_minor, currency
    )
    select ledger_id, now(), tenant_id, 'DEPOSIT', wallet_id || ':gift', '2', 5000, currency
    from casino.wallets where player_id = '2';
    update casino.wallets set balance_minor = balance_minor + 5000, sequence_no = sequence_no + 1 where player_id = '2';
    select pg_temp.rehash('2', 3);
"""

TAMPERINGS_WITH_GOOD_HASHES: Final = [
    *(
        Tampering(
            f"a win forged at the tail of a chain, at position {position}",
            FORGE_A_WIN + MOVE.format(to=position, transaction="forged"),
            at("forged", FED, RISE),
        )
        for position in (0, -5)
    ),
    Tampering("a win moved out of the feed", MOVE.format(to=-5, transaction="payout"), at("payout", FED, RISE)),
    Tampering("a refusal moved out of the feed", MOVE.format(to=-5, transaction="refused bet"), at("refused bet", FED)),
    Tampering("two bets that changed places in the feed", SWAP, at("undone bet", RISE)),
    Tampering("two transactions at one position", TAKE_A_POSITION_TWICE, at("stone", ONCE, player=None)),
    Tampering(
        "the games' takings moved to the cash",
        MOVE_A_POSTING.format(since="house_games", to="house_cash"),
        at("bet", HOUSE, rows=10),
    ),
    Tampering("a stake split between two accounts of the house", SPLIT_THE_HOUSE, at("bet", HOUSE, rows=2)),
    Tampering("a win posted twice and the balance with it", POST_A_WIN_TWICE, at("payout", HOUSE, POSTING)),
    Tampering(
        "a deposit that the games paid",
        MOVE_A_POSTING.format(since="house_cash", to="house_games"),
        at("§opening-balance", HOUSE, rows=2),
    ),
    Tampering(
        "a win without a position",
        "alter table casino.transactions drop constraint wire_transactions_are_fed;"
        " update casino.transactions set feed_position = null where transaction_id = 'payout'",
        at("payout", FED),
    ),
    Tampering(
        "a wallet that is gone with all that it left", REMOVE_A_WALLET, frozenset(), at("their bet", HEAD, player="2")
    ),
]

UNDETECTED_TAMPERINGS: Final = {
    "a win forged at the tail, inside the feed": FORGE_A_WIN,
    "a deposit invented at the tail": INVENT_A_DEPOSIT,
    "attempts removed": "delete from casino.attempts",
    "another reason and another arrival": BET.format("reason = 'x', received_at = now(), clock_skew_seconds = 9"),
    "another loss limit": "update casino.game_sessions set loss_limit_minor = null, stake_max_minor = 1",
}
"""What the casino's books alone do not show. SECURITY.md says so, and that reconciliation finds the first."""
