"""The view of broken invariants, turned round: empty for sound books, and every planted damage has its rule named."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pytest

from casino_testing.copies import copied_database
from casino_testing.service import settings_of
from casino_testing.tenant import Tenant
from casino_testing.wallet import Wallet
from local_stack.testing import PostgresServer

RULES_AND_DAMAGES = [
    ("balance_is_sum_of_postings", "update casino.wallets set balance_minor = balance_minor + 1 where player_id = '1'"),
    ("balance_is_sum_of_postings", "update casino.wallets set balance_minor = balance_minor - 1 where player_id = '2'"),
    (
        "balance_is_sum_of_postings",
        "insert into casino.wallets (ledger_id, tenant_id, player_id, player_name, currency, balance_minor)"
        " values (1, 'JAQPOT', 'new', 'new', 'USD', 5)",
    ),
    (
        "postings_of_currency_sum_to_zero",
        "update casino.postings set currency = 'EUR' where transaction_id = 'bet' and account = 'wallet'",
    ),
    (
        "postings_of_transaction_sum_to_zero",
        "update casino.postings set amount_minor = amount_minor + 1 where transaction_id = 'bet'"
        " and account = 'house_games'",
    ),
    (
        "postings_of_transaction_sum_to_zero",
        "delete from casino.postings where transaction_id = 'paid bet' and account = 'house_games'",
    ),
    (
        "balance_not_negative",
        "alter table casino.wallets drop constraint balance_not_negative; update casino.wallets set balance_minor = -1",
    ),
    (
        "wallet_points_at_its_newest_transaction",
        "update casino.wallets set sequence_no = sequence_no + 1 where player_id = '1'",
    ),
    (
        "wallet_points_at_its_newest_transaction",
        "update casino.wallets set head_hash = sha256('') where player_id = '1'",
    ),
    ("sequence_has_no_gap", "update casino.transactions set sequence_no = 100 where transaction_id = 'payout'"),
    (
        "sequence_has_no_gap",
        "update casino.transactions set sequence_no = 2 where transaction_id in ('bet', 'paid bet')",
    ),
    (
        "balance_after_follows_from_the_one_before",
        "update casino.transactions set balance_after_minor = balance_after_minor + 1 where transaction_id = 'bet'",
    ),
    (
        "entry_hash_follows_from_the_one_before",
        "update casino.transactions set round_id = 'other' where transaction_id = 'bet'",
    ),
    (
        "entry_hash_follows_from_the_one_before",
        "update casino.transactions set request_id = 'other' where transaction_id = 'bet'",
    ),
    (
        "wire_transaction_has_its_signer",
        "alter table casino.transactions drop constraint wire_transaction_is_signed;"
        " update casino.transactions set signed_by = null where transaction_id = 'bet'",
    ),
    (
        "posting_moves_what_its_transaction_says",
        "update casino.transactions set amount_minor = amount_minor + 1 where transaction_id = 'payout'",
    ),
    (
        "posting_moves_what_its_transaction_says",
        "delete from casino.postings where transaction_id = 'undone bet'",
    ),
    (
        "rolled_back_bet_has_its_rollback",
        "update casino.transactions set state = 'committed' where transaction_id = 'undone bet'",
    ),
    (
        "rolled_back_bet_has_its_rollback",
        "update casino.transactions set state = 'rolled_back' where transaction_id = 'bet'",
    ),
    (
        "round_counts_its_transactions",
        "update casino.rounds set live_debits = live_debits + 1 where round_id = 'paid round'",
    ),
    ("round_counts_its_transactions", "update casino.rounds set paid_minor = 0 where round_id = 'paid round'"),
    ("round_counts_its_transactions", "update casino.rounds set credits = 0 where round_id = 'paid round'"),
    (
        "tombstoned_bet_never_moved_money",
        "insert into casino.tombstones (ledger_id, wallet_id, transaction_id, tenant_id, rollback_transaction_id,"
        " round_id, recorded_at) select ledger_id, wallet_id, 'bet', tenant_id, 'undo', 'r', recorded_at"
        " from casino.transactions where transaction_id = 'undo'",
    ),
    (
        "payout_has_a_live_bet",
        "update casino.transactions set related_transaction_id = 'undone bet' where transaction_id = 'payout'",
    ),
    (
        "tombstone_stands_with_its_rollback",
        "delete from casino.tombstones where transaction_id = 'never seen'",
    ),
    (
        "tombstone_stands_with_its_rollback",
        "update casino.tombstones set rollback_transaction_id = 'undo'",
    ),
    (
        "wallet_keeps_its_currency",
        "update casino.wallets set currency = 'EUR' where player_id = '1'",
    ),
    (
        "wallet_points_at_its_newest_transaction",
        "set session_replication_role = replica; delete from casino.wallets where player_id = '1'",
    ),
    ("payout_has_a_live_bet", "update casino.transactions set round_id = 'other' where transaction_id = 'paid bet'"),
    ("every_transaction_was_told", "delete from casino.events where transaction_id = 'refused bet'"),
    ("every_transaction_was_told", "delete from casino.events where transaction_id = 'bet'"),
    ("event_tells_of_a_transaction", "update casino.events set amount_minor = 1 where transaction_id = 'bet'"),
    (
        "event_tells_of_a_transaction",
        "delete from casino.transactions where transaction_id = 'refused bet'",
    ),
    (
        "session_belongs_to_its_wallets_player",
        "update casino.wallets set player_id = 'thief' where player_id = '1'",
    ),
    (
        "wire_transaction_is_in_the_feed",
        "alter table casino.transactions drop constraint feed_position_positive;"
        " update casino.transactions set feed_position = 0 where transaction_id = 'bet'",
    ),
    (
        "feed_positions_rise_along_the_chain",
        "update casino.transactions set feed_position = 1 where transaction_id = 'payout'",
    ),
    (
        "feed_position_is_taken_once",
        "drop index casino.transactions_feed;"
        " update casino.transactions set feed_position = 1 where transaction_id in ('bet', 'payout')",
    ),
    (
        "house_posts_the_opposite_on_its_account",
        "update casino.postings set account = 'house_cash' where transaction_id = 'bet' and account = 'house_games'",
    ),
    ("session_counts_its_open_bets", "update casino.game_sessions set open_bets = open_bets + 1"),
]


@pytest.fixture(scope="module")
def played(postgres_server: PostgresServer, casino_template: str) -> Iterator[str]:
    """A database in which every kind of transaction was booked once."""
    with copied_database(postgres_server, casino_template) as url:
        play(Tenant.demo(url))
        yield url


def play(tenant: Tenant) -> None:
    wallet = Wallet(tenant, settings_of(tenant))
    session = wallet.open_session()
    wallet.bet(session, transaction_id="bet")
    wallet.bet(session, transaction_id="undone bet")
    wallet.accept(session.rollback("undone bet", transaction_id="undo"))
    wallet.bet(session, transaction_id="paid bet", round_id="paid round")
    wallet.accept(session.credit(500, transaction_id="payout", round_id="paid round", related_id="paid bet"))
    wallet.accept(session.rollback("never seen", transaction_id="tombstone"))
    tenant.set_session(session.session_id, loss_limit_minor=0)
    assert wallet.refuse(session.debit(transaction_id="refused bet")) == "limit_exceeded"
    wallet.close()
    tenant.close()


def broken_rules(connection: psycopg.Connection[tuple[object, ...]]) -> set[object]:
    return {row[0] for row in connection.execute("select rule from casino.ledger_differences").fetchall()}


def test_sound_books_have_no_differences(played: str) -> None:
    with psycopg.connect(played) as connection:
        assert broken_rules(connection) == set()


@pytest.mark.parametrize(("rule", "damage"), RULES_AND_DAMAGES)
def test_a_planted_damage_is_reported_under_its_rule(played: str, rule: str, damage: str) -> None:
    with psycopg.connect(played) as connection:
        connection.execute(damage)
        assert rule in broken_rules(connection)
        connection.rollback()


def test_every_rule_of_the_view_has_a_damage_that_it_finds(played: str) -> None:
    with psycopg.connect(played) as connection:
        row = connection.execute(
            "select string_agg(pg_get_function_sqlbody(oid), '') from pg_proc where proname in"
            " ('wallet_differences', 'ledger_wide_differences')"
        ).fetchone()
    assert row is not None
    named = set(re.findall(r"'([a-z]+(?:_[a-z]+){2,})'", row[0]))
    assert {rule for rule, _ in RULES_AND_DAMAGES} == named
    assert len(named) > row[0].count("union all"), "a branch without a name"
