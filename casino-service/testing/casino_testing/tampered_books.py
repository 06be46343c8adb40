"""Wallets, postings, rounds, tombstones, events and sessions changed, and what the check must report. Row G7."""

from __future__ import annotations

from typing import Final

from casino_testing.tampering import (
    BALANCE,
    CURRENCY_SUM,
    ENTRY_SUM,
    EVENT,
    GRANT_ON_PAPER,
    HEAD,
    HOUSE,
    INSERT_A_TOMBSTONE_FOR_A_BET,
    INVENT_A_WALLET,
    POINTER,
    POSTING,
    ROUND,
    STONE,
    SWAP_TWO_PLAYERS,
    TAKE_THE_PAYOUT_FROM,
    TOLD,
    Tampering,
    at,
)

VOUCHER: Final = "voucher_is_booked_as_it_stands"
VOUCHER_ON_PAPER: Final = """
    insert into casino.vouchers (
        ledger_id, voucher_id, tenant_id, code_mac, pin_mac, amount_minor, bonus_minor, currency, prize_wheel_enabled,
        status, issued_at, issued_by, expires_at, ended_at, player_id
    )
    select 1, 'v-1', 'JAQPOT', 'x', 'x', 5, {bonus}, 'USD', false, '{status}', now(), 'x', now(),
        case when '{status}' <> 'NEW' then now() end, case '{status}' when 'USED' then '1' end
"""

TAMPERED_BOOKS: Final = [
    Tampering(
        "a balance with money added",
        "update casino.wallets set balance_minor = balance_minor + 1 where player_id = '2'",
        at(None, BALANCE, player="2"),
    ),
    Tampering(
        "a balance below zero",
        "update casino.wallets set balance_minor = -1 where player_id = '1'",
        at(None, "balance_not_negative", BALANCE),
    ),
    Tampering(
        "a wallet in another currency",
        "update casino.wallets set currency = 'EUR' where player_id = '2'",
        at("their bet", "wallet_keeps_its_currency", player="2"),
    ),
    Tampering(
        "a wallet that is gone",
        "delete from casino.wallets where player_id = '2'",
        at(None, BALANCE, player=None)
        | at("their bet", POINTER, player=None)
        | at("their bet", EVENT, player=None, rows=2),
        at("their bet", HEAD, player="2"),
    ),
    Tampering(
        "two players whose wallets were swapped",
        SWAP_TWO_PLAYERS,
        at(None, "session_belongs_to_its_wallets_player", player="2", rows=2)
        | at("their bet", EVENT, player="2", rows=8)
        | at("bet", TOLD, player="2", rows=8),
        at("stone", HEAD, rows=2),
    ),
    Tampering(
        "a wallet that points elsewhere",
        "update casino.wallets set head_hash = sha256('') where player_id = '1'",
        at("stone", POINTER),
    ),
    Tampering(
        "both postings of a bet made larger",
        "update casino.postings set amount_minor = amount_minor * 2 where transaction_id = 'bet'",
        at(None, BALANCE) | at("bet", HOUSE, POSTING),
    ),
    Tampering(
        "a posting on one side only",
        "delete from casino.postings where transaction_id = 'bet' and account = 'house_games'",
        at(None, CURRENCY_SUM, player=None) | at("bet", ENTRY_SUM, HOUSE),
    ),
    Tampering(
        "a tombstone set over a bet that counts",
        INSERT_A_TOMBSTONE_FOR_A_BET,
        at("bet", "tombstoned_bet_never_moved_money", STONE),
    ),
    Tampering(
        "a tombstone removed",
        "delete from casino.tombstones where transaction_id = 'never seen'",
        at("never seen", STONE),
    ),
    Tampering(
        "a round that was paid less",
        "update casino.rounds set paid_minor = 0 where round_id = 'paid round'",
        at("paid round", ROUND),
    ),
    Tampering(
        "a round that is gone", "delete from casino.rounds where round_id = 'paid round'", at("paid round", ROUND)
    ),
    Tampering(
        "an event that tells of another amount",
        "update casino.ledger_events set amount_minor = 1 where action_id = 'main:1:bet'",
        at("bet", EVENT),
    ),
    Tampering(
        "an event that is gone",
        "delete from casino.ledger_events where action_id = 'main:1:bet'",
        at("bet", TOLD),
    ),
    Tampering(
        "a payout that is still in transit",
        "update casino.postings set account = 'in_transit' where transaction_id = 'payout' and account = 'house_games'",
        at("payout", "money_in_transit_arrives") | at("payout", HOUSE, rows=2),
    ),
    Tampering(
        "a session that counts another bet",
        "update casino.game_sessions set open_bets = open_bets + 1 where player_id = '2'",
        at(None, "session_counts_its_open_bets", player="2"),
    ),
    Tampering("a wallet invented with money in it", INVENT_A_WALLET, at(None, BALANCE, player="new")),
    Tampering(
        "a wallet that counts an entry too many",
        "update casino.wallets set sequence_no = sequence_no + 1 where player_id = '1'",
        at("stone", POINTER),
    ),
    Tampering(
        "a posting in another currency",
        "update casino.postings set currency = 'EUR' where transaction_id = 'bet' and account = 'wallet'",
        at("bet", POSTING) | at(None, CURRENCY_SUM, player=None, rows=2),
    ),
    Tampering(
        "a posting of the house made larger",
        "update casino.postings set amount_minor = 1001 where transaction_id = 'bet' and account = 'house_games'",
        at("bet", HOUSE, ENTRY_SUM) | at(None, CURRENCY_SUM, player=None),
    ),
    Tampering(
        "a bet without postings",
        "delete from casino.postings where transaction_id = 'undone bet'",
        at(None, BALANCE) | at("undone bet", HOUSE, POSTING),
    ),
    *(
        Tampering(
            f"a round whose {column} are changed",
            f"update casino.rounds set {column} = {column} + 1 where round_id = 'paid round'",
            at("paid round", ROUND),
        )
        for column in ("live_debits", "credits", "staked_minor")
    ),
    Tampering(
        "a tombstone of another rollback",
        "update casino.tombstones set rollback_transaction_id = 'undo'",
        at("never seen", STONE),
    ),
    Tampering(
        "an event of a refusal that is gone",
        "delete from casino.ledger_events where event_type = 'ERROR'",
        at("refused bet", TOLD),
    ),
    Tampering(
        "a pending bonus that nobody promised",
        "update casino.wallets set pending_bonus_minor = 5 where player_id = '1'",
        at(None, "wallet_knows_its_pending_bonus"),
    ),
    Tampering(
        "a voucher that nobody paid for",
        VOUCHER_ON_PAPER.format(bonus=0, status="NEW"),
        at("v-1", VOUCHER, player=None) | at(None, "voucher_liability_is_what_is_owed", player=None),
    ),
    Tampering(
        "a used voucher without its bonus",
        VOUCHER_ON_PAPER.format(bonus=3, status="USED"),
        at("v-1", VOUCHER, "used_voucher_promised_its_bonus", player=None),
    ),
    Tampering(
        "a float without a statement",
        "update casino.wallets set owner_kind = 'tenant' where player_id = '2'",
        at("§opening-balance", "float_entry_is_in_the_statement", player="2", rows=2),
    ),
    Tampering(
        "a bonus that was granted and never booked", GRANT_ON_PAPER, at("§bonus:7", "decided_bonus_is_booked_once")
    ),
    Tampering(
        "a payout that was taken from the bonuses of others",
        TAKE_THE_PAYOUT_FROM.format("bonus_liability"),
        at(None, "bonus_liability_is_what_is_owed", player=None) | at("payout", HOUSE, rows=2),
    ),
    Tampering(
        "a payout that was taken from a jackpot",
        TAKE_THE_PAYOUT_FROM.format("jackpot_pool"),
        at(None, "jackpot_holds_what_it_pays", player=None) | at("payout", HOUSE, rows=2),
    ),
]
