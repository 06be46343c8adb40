"""Transactions changed, removed, moved and invented, and everything that `casino check-ledger` must report. Row G8."""

from __future__ import annotations

from typing import Final

from casino_testing.tampering import (
    BALANCE_AFTER,
    BET,
    CHANGE_A_CURRENCY,
    CLOSE_THE_GAP,
    CUT_THE_TAIL,
    EVENT,
    FED,
    GAP,
    HASH,
    HASH_A_BET_BY_THE_OLD_FORMULA,
    HASH_AN_EDITED_BET_ANEW,
    HEAD,
    HOUSE,
    INSERT_A_TWIN,
    INSERT_A_WIN,
    LIVE_BET,
    MAKE_A_REFUSAL_A_BET,
    POINTER,
    POSTING,
    REMOVE_BET,
    RENAME_A_BET,
    RISE,
    ROLLED_BACK,
    ROUND,
    SET_THE_WALLET_BACK,
    SIGNER,
    STONE,
    TOLD,
    WIN_MORE_EVERYWHERE,
    Tampering,
    at,
)

TAMPERED_ENTRIES: Final = [
    Tampering(
        "a stake made smaller",
        BET.format("amount_minor = 900"),
        at("bet", BALANCE_AFTER, EVENT, HASH, HOUSE, POSTING) | at("round-1", ROUND),
    ),
    Tampering(
        "a bet put into another round",
        BET.format("round_id = 'another'"),
        at("another", ROUND, rows=2) | at("bet", HASH),
    ),
    Tampering(
        "a bet made a payout",
        BET.format("kind = 'credit'"),
        at("bet", LIVE_BET, BALANCE_AFTER, EVENT, HASH, HOUSE, POSTING, TOLD) | at("round-1", ROUND),
    ),
    Tampering(
        "a bet of a kind that there is not",
        BET.format("kind = 'bonus'"),
        at("bet", "entry_is_of_a_known_kind", EVENT, FED, HASH, HOUSE, POSTING) | at("round-1", ROUND),
    ),
    Tampering("a bet under another id", RENAME_A_BET, at("never was", HASH)),
    Tampering("a bet moved to another session", BET.format("session_id = gen_random_uuid()"), at("bet", HASH)),
    Tampering(
        "a payout for another bet",
        "update casino.transactions set related_transaction_id = 'bet' where transaction_id = 'payout'",
        at("payout", LIVE_BET, HASH),
    ),
    Tampering(
        "a tombstone that is none any more",
        "update casino.transactions set tombstone = false where transaction_id = 'stone'",
        at("never seen", STONE) | at("stone", HASH),
    ),
    Tampering(
        "a balance after a bet",
        BET.format("balance_after_minor = balance_after_minor + 1"),
        at("bet", HASH) | at("bet", BALANCE_AFTER, rows=2),
    ),
    Tampering("a bet in another currency, postings and all", CHANGE_A_CURRENCY, at("bet", HASH)),
    Tampering("a hash put right behind an edited bet", HASH_AN_EDITED_BET_ANEW, at("undone bet", HASH)),
    Tampering("a bet removed with all that it left", REMOVE_BET, at("undone bet", BALANCE_AFTER, GAP, HASH)),
    Tampering(
        "a bet removed and the gap closed",
        REMOVE_BET + CLOSE_THE_GAP,
        at("undone bet", HASH, rows=5),
        at("stone", HEAD),
    ),
    Tampering(
        "a bet removed and its sum with it",
        "delete from casino.transactions where transaction_id = 'bet'",
        at("bet", EVENT, HOUSE, POSTING) | at("round-1", ROUND) | at("undone bet", BALANCE_AFTER, GAP, HASH),
    ),
    Tampering("a win inserted with all that it leaves", INSERT_A_WIN, at("forged", HASH, POINTER)),
    Tampering(
        "a bet inserted under a number that is taken",
        INSERT_A_TWIN,
        at("round-1", ROUND) | at("twin", GAP, HASH, RISE, TOLD),
    ),
    Tampering(
        "two bets in the other order",
        "update casino.transactions set sequence_no = 5 - sequence_no where transaction_id in ('bet', 'undone bet')",
        at("bet", RISE) | at("undone bet", BALANCE_AFTER, HASH, rows=3),
    ),
    Tampering(
        "a bet moved into another wallet",
        BET.format("wallet_id = (select wallet_id from casino.wallets where player_id = '2')"),
        at("bet", POINTER, TOLD, player="2")
        | at("bet", EVENT)
        | at("bet", HOUSE, POSTING, rows=2)
        | at("round-1", ROUND, rows=2)
        | at("undone bet", BALANCE_AFTER, GAP, rows=2)
        | at("undone bet", HASH, rows=3),
    ),
    # Evidence that moves no money.
    *(
        Tampering(f"a bet recorded {name}", BET.format(f"recorded_at = {value}"), at("bet", EVENT, HASH, TOLD))
        for name, value in (
            ("a second earlier", "recorded_at - interval '1 second'"),
            ("a microsecond later", "recorded_at + interval '1 microsecond'"),
            ("as long before Christ", "recorded_at - (2 * extract(year from recorded_at) - 1) * interval '1 year'"),
            ("ten thousand years later", "recorded_at + interval '10000 years'"),
            ("at the end of time", "'infinity'"),
        )
    ),
    *(
        Tampering(f"a bet {name}", BET.format(f"{column} = {value}"), at("bet", HASH))
        for name, column, value in (
            ("signed by somebody else", "signed_by", "'other'"),
            ("under another request", "request_id", "request_id || ' '"),
            ("of the old formula", "entry_formula", "1"),
            ("of no formula that there is", "entry_formula", "3"),
        )
    ),
    Tampering("a bet that nobody signed", BET.format("signed_by = null"), at("bet", HASH, SIGNER)),
    Tampering(
        "a refusal that nobody signed",
        "update casino.transactions set signed_by = '' where transaction_id = 'refused bet'",
        at("refused bet", SIGNER),
    ),
    Tampering(
        "a bet hashed by the old formula, so that its request can be another",
        HASH_A_BET_BY_THE_OLD_FORMULA,
        at("undone bet", HASH),
    ),
    Tampering(
        "a bet recorded at the end of time and without a hash",
        BET.format("recorded_at = 'infinity', entry_hash = null"),
        at("bet", HASH, rows=2) | at("bet", EVENT, TOLD),
    ),
    Tampering(
        "a bet of no formula that there is and without a hash",
        BET.format("entry_formula = 3, entry_hash = null"),
        at("bet", HASH, rows=2),
    ),
    Tampering("a bet without a hash", BET.format("entry_hash = null"), at("bet", HASH, rows=2)),
    Tampering("a payout made larger wherever it stands", WIN_MORE_EVERYWHERE, at("payout", HASH, rows=2)),
    Tampering(
        "a payout made larger and every hash made anew",
        WIN_MORE_EVERYWHERE + "select pg_temp.rehash('1', 6)",
        frozenset(),
        at("stone", HEAD),
    ),
    Tampering("a tail that was cut off", CUT_THE_TAIL, at("payout", POINTER), at("stone", HEAD)),
    Tampering(
        "a tail cut off and the wallet set back", CUT_THE_TAIL + SET_THE_WALLET_BACK, frozenset(), at("stone", HEAD)
    ),
    Tampering(
        "a bet marked as rolled back",
        BET.format("state = 'rolled_back'"),
        at("bet", ROLLED_BACK) | at("round-1", ROUND),
    ),
    Tampering(
        "a rolled-back bet marked as live",
        "update casino.transactions set state = 'committed' where transaction_id = 'undone bet'",
        at("undone bet", ROLLED_BACK) | at("undone round", ROUND),
    ),
    Tampering(
        "a recorded refusal removed",
        "delete from casino.transactions where transaction_id = 'refused bet'",
        at("refused bet", EVENT),
    ),
    Tampering(
        "a refusal made a bet",
        MAKE_A_REFUSAL_A_BET,
        at("refused bet", BALANCE_AFTER, EVENT, HASH, HOUSE, POINTER, POSTING, TOLD) | at("round-1", ROUND),
    ),
    Tampering(
        "a number far behind the others",
        "update casino.transactions set sequence_no = 100 where transaction_id = 'payout'",
        at("payout", POINTER, RISE) | at("stone", BALANCE_AFTER, GAP, HASH, rows=2),
    ),
    Tampering(
        "a payout for a bet that was rolled back",
        "update casino.transactions set related_transaction_id = 'undone bet' where transaction_id = 'payout'",
        at("payout", HASH, LIVE_BET),
    ),
    Tampering(
        "a paid bet put into another round",
        "update casino.transactions set round_id = 'other' where transaction_id = 'paid bet'",
        at("paid bet", HASH) | at("payout", LIVE_BET) | at("other", ROUND, rows=2),
    ),
]
