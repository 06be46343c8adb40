"""Deeds of tampering, and everything that `casino check-ledger` must say of each, and nothing more. Rows G7 and G8."""

from __future__ import annotations

from typing import Final

from casino_testing.tampering import (
    BET,
    CHANGE_A_CURRENCY,
    CLOSE_THE_GAP,
    CUT_THE_TAIL,
    HASH_A_BET_BY_THE_OLD_FORMULA,
    HASH_AN_EDITED_BET_ANEW,
    INSERT_A_TWIN,
    INSERT_A_WIN,
    MAKE_A_REFUSAL_A_BET,
    REMOVE_BET,
    RENAME_A_BET,
    SET_A_STONE_OVER_A_BET,
    SET_THE_WALLET_BACK,
    SWAP_TWO_PLAYERS,
    WIN_MORE_EVERYWHERE,
    Deed,
)

BALANCE: Final = "balance_is_sum_of_postings"
BALANCE_AFTER: Final = "balance_after_follows_from_the_one_before"
EVENT: Final = "event_tells_of_a_transaction"
FED: Final = "wire_transaction_is_in_the_feed"
GAP: Final = "sequence_has_no_gap"
HASH: Final = "entry_hash_follows_from_the_one_before"
HOUSE: Final = "house_posts_the_opposite_on_its_account"
HEAD: Final = "recorded_head_is_in_the_chain"
ONCE: Final = "feed_position_is_taken_once"
POINTER: Final = "wallet_points_at_its_newest_transaction"
POSTING: Final = "posting_moves_what_its_transaction_says"
RISE: Final = "feed_positions_rise_along_the_chain"
ROUND: Final = "round_counts_its_transactions"
SIGNER: Final = "wire_transaction_has_its_signer"
STONE: Final = "tombstone_stands_with_its_rollback"
TOLD: Final = "every_transaction_was_told"

DEEDS: Final = [
    Deed(
        "a stake made smaller",
        BET.format("amount_minor = 900"),
        frozenset(
            {
                (BALANCE_AFTER, "1", "bet", 1),
                (HASH, "1", "bet", 1),
                (EVENT, "1", "bet", 1),
                (POSTING, "1", "bet", 1),
                (HOUSE, "1", "bet", 1),
                (ROUND, "1", "round-1", 1),
            }
        ),
    ),
    Deed(
        "a bet put into another round",
        BET.format("round_id = 'another'"),
        frozenset({(HASH, "1", "bet", 1), (ROUND, "1", "another", 2)}),
    ),
    Deed(
        "a bet made a payout",
        BET.format("kind = 'credit'"),
        frozenset(
            {
                (BALANCE_AFTER, "1", "bet", 1),
                (HASH, "1", "bet", 1),
                (EVENT, "1", "bet", 1),
                ("payout_has_a_live_bet", "1", "bet", 1),
                (POSTING, "1", "bet", 1),
                (HOUSE, "1", "bet", 1),
                (ROUND, "1", "round-1", 1),
            }
        ),
    ),
    Deed(
        "a bet under another id",
        RENAME_A_BET,
        frozenset({(HASH, "1", "never was", 1)}),
    ),
    Deed(
        "a bet moved to another session",
        BET.format("session_id = gen_random_uuid()"),
        frozenset({(HASH, "1", "bet", 1)}),
    ),
    Deed(
        "a payout for another bet",
        "update casino.transactions set related_transaction_id = 'bet' where transaction_id = 'payout'",
        frozenset({(HASH, "1", "payout", 1), ("payout_has_a_live_bet", "1", "payout", 1)}),
    ),
    Deed(
        "a tombstone that is none any more",
        "update casino.transactions set tombstone = false where transaction_id = 'stone'",
        frozenset({(HASH, "1", "stone", 1), (STONE, "1", "never seen", 1)}),
    ),
    Deed(
        "a balance after a bet",
        BET.format("balance_after_minor = balance_after_minor + 1"),
        frozenset({(BALANCE_AFTER, "1", "bet", 2), (HASH, "1", "bet", 1)}),
    ),
    Deed(
        "a bet in another currency, postings and all",
        CHANGE_A_CURRENCY,
        frozenset({(HASH, "1", "bet", 1)}),
    ),
    Deed(
        "a hash put right behind an edited bet",
        HASH_AN_EDITED_BET_ANEW,
        frozenset({(HASH, "1", "undone bet", 1)}),
    ),
    Deed(
        "a bet removed with all that it left",
        REMOVE_BET,
        frozenset({(BALANCE_AFTER, "1", "undone bet", 1), (HASH, "1", "undone bet", 1), (GAP, "1", "undone bet", 1)}),
    ),
    Deed(
        "a bet removed and the gap closed",
        REMOVE_BET + CLOSE_THE_GAP,
        frozenset({(HASH, "1", "undone bet", 5)}),
        frozenset({(HEAD, "1", "stone", 1)}),
    ),
    Deed(
        "a bet removed and its sum with it",
        "delete from casino.transactions where transaction_id = 'bet'",
        frozenset(
            {
                (BALANCE_AFTER, "1", "undone bet", 1),
                (HASH, "1", "undone bet", 1),
                (EVENT, "1", "bet", 1),
                (POSTING, "1", "bet", 1),
                (HOUSE, "1", "bet", 1),
                (ROUND, "1", "round-1", 1),
                (GAP, "1", "undone bet", 1),
            }
        ),
    ),
    Deed(
        "a win inserted with all that it leaves",
        INSERT_A_WIN,
        frozenset({(HASH, "1", "forged", 1), (POINTER, "1", "forged", 1)}),
    ),
    Deed(
        "a bet inserted under a number that is taken",
        INSERT_A_TWIN,
        frozenset(
            {
                (HASH, "1", "twin", 1),
                (TOLD, "1", "twin", 1),
                (ROUND, "1", "round-1", 1),
                (GAP, "1", "twin", 1),
                (RISE, "1", "twin", 1),
            }
        ),
    ),
    Deed(
        "two bets in the other order",
        "update casino.transactions set sequence_no = 5 - sequence_no where transaction_id in ('bet', 'undone bet')",
        frozenset({(BALANCE_AFTER, "1", "undone bet", 3), (HASH, "1", "undone bet", 3), (RISE, "1", "bet", 1)}),
    ),
    Deed(
        "a bet moved into another wallet",
        BET.format("wallet_id = (select wallet_id from casino.wallets where player_id = '2')"),
        frozenset(
            {
                (BALANCE_AFTER, "1", "undone bet", 2),
                (HASH, "1", "undone bet", 3),
                (EVENT, "1", "bet", 1),
                (TOLD, "2", "bet", 1),
                (POSTING, "1", "bet", 2),
                (HOUSE, "1", "bet", 2),
                (ROUND, "1", "round-1", 2),
                (GAP, "1", "undone bet", 2),
                (POINTER, "2", "bet", 1),
            }
        ),
    ),
    Deed(
        "a balance with money added",
        "update casino.wallets set balance_minor = balance_minor + 1 where player_id = '2'",
        frozenset({(BALANCE, "2", None, 1)}),
    ),
    Deed(
        "a balance below zero",
        "update casino.wallets set balance_minor = -1 where player_id = '1'",
        frozenset({(BALANCE, "1", None, 1), ("balance_not_negative", "1", None, 1)}),
    ),
    Deed(
        "a wallet in another currency",
        "update casino.wallets set currency = 'EUR' where player_id = '2'",
        frozenset({("wallet_keeps_its_currency", "2", "their bet", 1)}),
    ),
    Deed(
        "a wallet that is gone",
        "delete from casino.wallets where player_id = '2'",
        frozenset({(BALANCE, None, None, 1), (POINTER, None, "their bet", 1)}),
        frozenset({(HEAD, "2", "their bet", 1)}),
    ),
    Deed(
        "two players whose wallets were swapped",
        SWAP_TWO_PLAYERS,
        frozenset({("session_belongs_to_its_wallets_player", "2", None, 2)}),
        frozenset({(HEAD, "1", "stone", 2)}),
    ),
    Deed(
        "a wallet that points elsewhere",
        "update casino.wallets set head_hash = sha256('') where player_id = '1'",
        frozenset({(POINTER, "1", "stone", 1)}),
    ),
    # What is evidence, and moves no money. Red before formula 2: nobody found one of these.
    *(
        Deed(f"a bet {name}", BET.format(f"{column} = {value}"), frozenset({(HASH, "1", "bet", 1)}))
        for name, column, value in (
            ("recorded a second earlier", "recorded_at", "recorded_at - interval '1 second'"),
            ("recorded a microsecond later", "recorded_at", "recorded_at + interval '1 microsecond'"),
            (
                "recorded as long before Christ",
                "recorded_at",
                "recorded_at - (2 * extract(year from recorded_at) - 1) * interval '1 year'",
            ),
            ("recorded ten thousand years later", "recorded_at", "recorded_at + interval '10000 years'"),
            ("recorded at the end of time", "recorded_at", "'infinity'"),
            ("signed by somebody else", "signed_by", "'other'"),
            ("under another request", "request_id", "request_id || ' '"),
            ("of the old formula", "entry_formula", "1"),
            ("of no formula that there is", "entry_formula", "3"),
        )
    ),
    Deed(
        "a bet that nobody signed",
        BET.format("signed_by = null"),
        frozenset({(HASH, "1", "bet", 1), (SIGNER, "1", "bet", 1)}),
    ),
    Deed(
        "a refusal that nobody signed",
        "update casino.transactions set signed_by = '' where transaction_id = 'refused bet'",
        frozenset({(SIGNER, "1", "refused bet", 1)}),
    ),
    Deed(
        "a bet hashed by the old formula, so that its request can be another",
        HASH_A_BET_BY_THE_OLD_FORMULA,
        frozenset({(HASH, "1", "undone bet", 1)}),
    ),
    Deed(
        "a bet recorded at the end of time and without a hash",
        BET.format("recorded_at = 'infinity', entry_hash = null"),
        frozenset({(HASH, "1", "bet", 2)}),
    ),
    Deed(
        "a bet of no formula that there is and without a hash",
        BET.format("entry_formula = 3, entry_hash = null"),
        frozenset({(HASH, "1", "bet", 2)}),
    ),
    Deed("a bet without a hash", BET.format("entry_hash = null"), frozenset({(HASH, "1", "bet", 2)})),
    Deed("a payout made larger wherever it stands", WIN_MORE_EVERYWHERE, frozenset({(HASH, "1", "payout", 2)})),
    Deed(
        "a payout made larger and every hash made anew",
        WIN_MORE_EVERYWHERE + "select pg_temp.rehash('1', 6)",
        frozenset(),
        frozenset({(HEAD, "1", "stone", 1)}),
    ),
    Deed(
        "a tail that was cut off",
        CUT_THE_TAIL,
        frozenset({(POINTER, "1", "payout", 1)}),
        frozenset({(HEAD, "1", "stone", 1)}),
    ),
    Deed(
        "a tail cut off and the wallet set back",
        CUT_THE_TAIL + SET_THE_WALLET_BACK,
        frozenset(),
        frozenset({(HEAD, "1", "stone", 1)}),
    ),
    Deed(
        "both postings of a bet made larger",
        "update casino.postings set amount_minor = amount_minor * 2 where transaction_id = 'bet'",
        frozenset({(BALANCE, "1", None, 1), (POSTING, "1", "bet", 1), (HOUSE, "1", "bet", 1)}),
    ),
    Deed(
        "a posting on one side only",
        "delete from casino.postings where transaction_id = 'bet' and account = 'house_games'",
        frozenset(
            {
                ("postings_of_currency_sum_to_zero", None, None, 1),
                (HOUSE, "1", "bet", 1),
                ("postings_of_transaction_sum_to_zero", "1", "bet", 1),
            }
        ),
    ),
    Deed(
        "a bet marked as rolled back",
        BET.format("state = 'rolled_back'"),
        frozenset({("rolled_back_bet_has_its_rollback", "1", "bet", 1), (ROUND, "1", "round-1", 1)}),
    ),
    Deed(
        "a rolled-back bet marked as live",
        "update casino.transactions set state = 'committed' where transaction_id = 'undone bet'",
        frozenset({("rolled_back_bet_has_its_rollback", "1", "undone bet", 1), (ROUND, "1", "undone round", 1)}),
    ),
    Deed(
        "a recorded refusal removed",
        "delete from casino.transactions where transaction_id = 'refused bet'",
        frozenset({(EVENT, "1", "refused bet", 1)}),
    ),
    Deed(
        "a refusal made a bet",
        MAKE_A_REFUSAL_A_BET,
        frozenset(
            {
                (BALANCE_AFTER, "1", "refused bet", 1),
                (HASH, "1", "refused bet", 1),
                (EVENT, "1", "refused bet", 1),
                (POSTING, "1", "refused bet", 1),
                (HOUSE, "1", "refused bet", 1),
                (ROUND, "1", "round-1", 1),
                (POINTER, "1", "refused bet", 1),
            }
        ),
    ),
    Deed(
        "a tombstone set over a bet that counts",
        SET_A_STONE_OVER_A_BET,
        frozenset({("tombstoned_bet_never_moved_money", "1", "bet", 1), (STONE, "1", "bet", 1)}),
    ),
    Deed(
        "a tombstone removed",
        "delete from casino.tombstones where transaction_id = 'never seen'",
        frozenset({(STONE, "1", "never seen", 1)}),
    ),
    Deed(
        "a round that was paid less",
        "update casino.rounds set paid_minor = 0 where round_id = 'paid round'",
        frozenset({(ROUND, "1", "paid round", 1)}),
    ),
    Deed(
        "a round that is gone",
        "delete from casino.rounds where round_id = 'paid round'",
        frozenset({(ROUND, "1", "paid round", 1)}),
    ),
    Deed(
        "an event that tells of another amount",
        "update casino.events set amount_minor = 1 where transaction_id = 'bet'",
        frozenset({(EVENT, "1", "bet", 1)}),
    ),
    Deed(
        "an event that is gone",
        "delete from casino.events where transaction_id = 'bet'",
        frozenset({(TOLD, "1", "bet", 1)}),
    ),
    Deed(
        "a session that counts another bet",
        "update casino.game_sessions set open_bets = open_bets + 1 where player_id = '2'",
        frozenset({("session_counts_its_open_bets", "2", None, 1)}),
    ),
]
