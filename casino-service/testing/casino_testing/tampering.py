"""What a superuser can do to the books, as SQL, and the books that it is done to.

Constraints, foreign keys and triggers are off meanwhile: whoever can edit a row can switch those off too.
The books are those of `play`: player 1 has a chain of seven entries and one recorded refusal, player 2 one of two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import psycopg

from casino_testing.service import settings_of
from casino_testing.tenant import Tenant
from casino_testing.wallet import Wallet

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
LIVE_BET: Final = "payout_has_a_live_bet"
CURRENCY_SUM: Final = "postings_of_currency_sum_to_zero"
ENTRY_SUM: Final = "postings_of_transaction_sum_to_zero"
ROLLED_BACK: Final = "rolled_back_bet_has_its_rollback"

SET_UP: Final = """
    set session_replication_role = replica;
    alter table casino.wallets drop constraint balance_not_negative, drop constraint used_wallet_has_head;
    alter table casino.transactions drop constraint numbered_has_hash, drop constraint committed_is_numbered,
        drop constraint refusal_has_code, drop constraint only_debits_roll_back,
        drop constraint wire_transaction_is_signed, drop constraint feed_position_positive;
    alter table casino.postings drop constraint posting_moves_money;
    -- A careful forger: puts the hashes of a wallet right, from an entry on to the end and into the wallet.
    create function pg_temp.rehash(p_player_id text, p_from bigint) returns void language plpgsql as $$
    declare
        v_entry record;
        v_hash bytea;
    begin
        for v_entry in
            select entry.* from casino.transactions as entry join casino.wallets using (ledger_id, wallet_id)
            where player_id = p_player_id and entry.sequence_no is not null order by entry.sequence_no
        loop
            if v_entry.sequence_no >= p_from then
                v_hash := casino.entry_hash_2(
                    v_hash, v_entry.ledger_id, v_entry.wallet_id, v_entry.sequence_no, v_entry.transaction_id,
                    v_entry.kind, v_entry.session_id, v_entry.round_id, v_entry.amount_minor, v_entry.currency,
                    v_entry.related_transaction_id, v_entry.balance_after_minor, v_entry.tombstone,
                    v_entry.already_rolled_back,
                    casino.entry_details(
                        v_entry.recorded_at, v_entry.request_id, v_entry.signed_by, v_entry.provider_id
                    ));
                update casino.transactions set entry_hash = v_hash
                where wallet_id = v_entry.wallet_id and transaction_id = v_entry.transaction_id;
            end if;
            v_hash := coalesce(v_hash, v_entry.entry_hash);
            if v_entry.sequence_no < p_from then v_hash := v_entry.entry_hash; end if;
        end loop;
        update casino.wallets set head_hash = v_hash where player_id = p_player_id;
    end $$;
"""

INSERT_A_TOMBSTONE_FOR_A_BET: Final = """
    insert into casino.tombstones
    select ledger_id, wallet_id, 'bet', tenant_id, 'undo', round_id, recorded_at
    from casino.transactions where transaction_id = 'bet'
"""
GRANT_ON_PAPER: Final = """
    insert into casino.bonuses (
        ledger_id, bonus_id, tenant_id, wallet_id, amount_minor, currency, voucher_id, agent_tenant_id, state,
        promised_at, decided_at, transaction_id
    ) overriding system value
    select ledger_id, 7, tenant_id, wallet_id, 5, currency, 'v', tenant_id, 'GRANTED', now(), now(), 'bet'
    from casino.wallets where player_id = '1'
"""
SWAP_TWO_PLAYERS: Final = "".join(
    f"update casino.wallets set player_id = '{new}' where player_id = '{old}';"
    for old, new in (("1", "aside"), ("2", "1"), ("aside", "2"))
)
BET: Final = "update casino.transactions set {} where transaction_id = 'bet'"
HASH_A_BET_BY_THE_OLD_FORMULA: Final = """
    update casino.transactions as entry set request_id = 'another', entry_formula = 1, entry_hash = casino.entry_hash(
        (select entry_hash from casino.transactions where sequence_no = 1 and wallet_id = entry.wallet_id),
        ledger_id, wallet_id, sequence_no, transaction_id, kind, session_id, round_id, amount_minor, currency,
        related_transaction_id, balance_after_minor, tombstone, already_rolled_back
    ) where transaction_id = 'bet'
"""
RENAME_A_BET: Final = """
    update casino.transactions set transaction_id = 'never was' where transaction_id = 'bet';
    update casino.postings set transaction_id = 'never was' where transaction_id = 'bet';
    update casino.ledger_events set action_id = 'main:1:never was' where action_id = 'main:1:bet';
"""
CHANGE_A_CURRENCY: Final = """
    update casino.transactions set currency = 'EUR' where transaction_id = 'bet';
    update casino.postings set currency = 'EUR' where transaction_id = 'bet';
    update casino.ledger_events set currency = 'EUR' where action_id = 'main:1:bet';
"""
HASH_AN_EDITED_BET_ANEW: Final = """
    update casino.transactions as entry set session_id = null, entry_hash = casino.entry_hash_2(
        (select entry_hash from casino.transactions where sequence_no = 1 and wallet_id = entry.wallet_id),
        ledger_id, wallet_id, sequence_no, transaction_id, kind, null, round_id, amount_minor, currency,
        related_transaction_id, balance_after_minor, tombstone, already_rolled_back,
        casino.entry_details(recorded_at, request_id, signed_by, provider_id)
    ) where transaction_id = 'bet'
"""
TAKE_THE_PAYOUT_FROM: Final = """
    update casino.postings set account = '{}' where transaction_id = 'payout' and account = 'house_games'
"""
INSERT_A_TWIN: Final = """
    insert into casino.transactions
    select (jsonb_populate_record(
        entry, '{"transaction_id": "twin", "amount_minor": 0, "feed_position": 1}'
    )).* from casino.transactions as entry where transaction_id = 'bet'
"""
MAKE_A_REFUSAL_A_BET: Final = """
    update casino.transactions set state = 'committed', refusal_code = null, sequence_no = 8, entry_hash = sha256('')
    where transaction_id = 'refused bet'
"""
REMOVE_BET: Final = """
    delete from casino.postings where transaction_id = 'bet';
    delete from casino.ledger_events where action_id = 'main:1:bet';
    delete from casino.transactions where transaction_id = 'bet';
    update casino.rounds set live_debits = 0, staked_minor = 0
    where round_id = 'round-1' and wallet_id = (select wallet_id from casino.wallets where player_id = '1');
    update casino.game_sessions set open_bets = open_bets - 1, staked_minor = staked_minor - 1000
    where player_id = '1';
    update casino.wallets set balance_minor = balance_minor + 1000 where player_id = '1';
"""
CLOSE_THE_GAP: Final = """
    update casino.transactions set sequence_no = sequence_no - 1, balance_after_minor = balance_after_minor + 1000
    where sequence_no > 2 and wallet_id = (select wallet_id from casino.wallets where player_id = '1');
    update casino.wallets set sequence_no = sequence_no - 1 where player_id = '1';
"""
CUT_THE_TAIL: Final = """
    delete from casino.tombstones where rollback_transaction_id = 'stone';
    delete from casino.ledger_events where action_id = 'main:1:never seen';
    delete from casino.transactions where transaction_id = 'stone';
"""
SET_THE_WALLET_BACK: Final = """
    update casino.wallets set sequence_no = sequence_no - 1, head_hash = (
        select entry_hash from casino.transactions where transaction_id = 'payout'
    ) where player_id = '1';
"""
INSERT_A_WIN: Final = """
    insert into casino.transactions (
        ledger_id, wallet_id, transaction_id, tenant_id, kind, session_id, round_id, amount_minor, currency,
        related_transaction_id, state, balance_after_minor, sequence_no, request_id, feed_position, recorded_at,
        entry_hash, entry_formula, signed_by
    )
    select
        ledger_id, wallet_id, 'forged', tenant_id, 'credit', session_id, 'paid round', 5000, currency, 'paid bet',
        'committed', balance_after_minor + 5000, sequence_no + 1, 'x', feed_position + 1, recorded_at, sha256(''),
        2, 'main'
    from casino.transactions where transaction_id = 'stone';
    insert into casino.postings (ledger_id, wallet_id, transaction_id, account, tenant_id, amount_minor, currency)
    select ledger_id, wallet_id, 'forged', side.account, tenant_id, side.amount, 'USD'
    from casino.wallets cross join (values ('wallet', 5000), ('house_games', -5000)) as side (account, amount)
    where player_id = '1';
    insert into casino.ledger_events (
        ledger_id, at, tenant_id, event_type, action_id, player_id, session_id, round_id, game_key, provider_id,
        amount_minor, currency
    )
    select
        ledger_id, recorded_at, tenant_id, 'WIN', 'main:1:forged', '1', session_id::text, round_id, 'SLOTS_001', 'main',
        5000, currency
    from casino.transactions where transaction_id = 'forged';
    update casino.rounds set credits = credits + 1, paid_minor = paid_minor + 5000 where round_id = 'paid round';
    update casino.game_sessions set paid_minor = paid_minor + 5000 where player_id = '1';
    update casino.wallets set balance_minor = balance_minor + 5000, sequence_no = sequence_no + 1 where player_id = '1';
"""
WIN_MORE_EVERYWHERE: Final = """
    update casino.transactions set amount_minor = 900 where transaction_id = 'payout';
    update casino.transactions set balance_after_minor = balance_after_minor + 400
    where transaction_id in ('payout', 'stone');
    update casino.postings set amount_minor = sign(amount_minor) * 900 where transaction_id = 'payout';
    update casino.ledger_events set amount_minor = 900 where action_id = 'main:1:payout';
    update casino.rounds set paid_minor = 900 where round_id = 'paid round';
    update casino.game_sessions set paid_minor = 900 where player_id = '1';
    update casino.wallets set balance_minor = balance_minor + 400 where player_id = '1';
"""

INVENT_A_WALLET: Final = """
    insert into casino.wallets (ledger_id, tenant_id, player_id, player_name, currency, balance_minor)
    values (1, 'JAQPOT', 'new', 'new', 'USD', 5)
"""

Found = tuple[str, str | None, str | None, int]
"""Rule, player, the first transaction that breaks it, and how many rows do."""


@dataclass(frozen=True, slots=True)
class Tampering:
    """A statement, and exactly what the check must report: without heads, and by a head that a provider recorded."""

    name: str
    sql: str
    found: frozenset[Found]
    found_by_head: frozenset[Found] = frozenset()


def at(transaction_id: str | None, *rules: str, player: str | None = "1", rows: int = 1) -> frozenset[Found]:
    """Findings whose first row is the same transaction or round."""
    return frozenset((rule, player, transaction_id, rows) for rule in rules)


def play(url: str) -> None:
    """One of every kind of transaction, in the demo ledger."""
    tenant = Tenant.demo(url)
    wallet = Wallet(tenant, settings_of(tenant))
    session, other = wallet.open_session("1"), wallet.open_session("2")
    wallet.bet(session, transaction_id="bet")
    wallet.bet(session, transaction_id="undone bet", round_id="undone round")
    wallet.accept(session.rollback("undone bet", transaction_id="undo", round_id="undone round"))
    wallet.bet(session, transaction_id="paid bet", round_id="paid round")
    wallet.accept(session.credit(500, transaction_id="payout", round_id="paid round", related_id="paid bet"))
    wallet.accept(session.rollback("never seen", transaction_id="stone"))
    tenant.set_session(session.session_id, loss_limit_minor=0)
    assert wallet.refuse(session.debit(transaction_id="refused bet")) == "limit_exceeded"
    wallet.bet(other, transaction_id="their bet")
    wallet.close()
    tenant.close()


def tamper(connection: psycopg.Connection[Any], tampering: Tampering) -> None:
    """Tamper within the connection's transaction; the connection is a superuser's."""
    connection.execute(SET_UP.encode())
    connection.execute(tampering.sql.encode())
