"""Revisions 0003 and 0007 on books that were kept without a chain: every entry gets its hash, and no answer changes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import psycopg
import pytest
from msgspec import structs

from casino.ops.demo import seed_demo
from casino.sql.schema import SCHEMA
from casino_testing.chain import entries, hashes_by_hand
from casino_testing.service import settings_of
from casino_testing.tenant import Tenant
from casino_testing.wallet import Wallet, answer
from local_stack.testing import PostgresServer, create_database, drop_database
from shared_service.postgres.migrate import migrate

WITHOUT_THE_CHAIN = """
    drop view casino.ledger_differences, casino.transaction_feed, casino.provider_feed;
    drop function casino.wallet_differences, casino.ledger_wide_differences, casino.entry_hash,
        casino.read_wallet_commands, casino.head;
    alter table casino.transactions drop column entry_hash, drop column answered_with_head, drop column signed_by,
        drop column clock_skew_seconds, drop column received_at, drop column entry_formula;
    alter table casino.wallets drop column head_hash;
    alter table casino.game_sessions drop column open_bets;
    drop index casino.game_sessions_open;
    drop table casino.attempts;
    alter type casino.judged_command drop attribute entry_sequence_no, drop attribute entry_hash,
        drop attribute open_bets_delta, drop attribute signed_by, drop attribute clock_skew_seconds,
        drop attribute received_at;
"""
BACK_TO_0006 = """
    drop table casino.access_token_revocations;
    alter table casino.transactions drop constraint feed_position_positive;
    alter table casino.events drop constraint event_position_positive;
    drop table casino.applied_sql_files;
    create table casino.applied_sql (digest text primary key);
    update casino.alembic_version set version_num = '0006';
"""
"""What the revisions after 0007 made is taken away, for they are run again with it."""
VERSIONS = SCHEMA.folder / "migrations/versions"
CHAIN_SQL = VERSIONS / "0003_chain.sql"
FORMULA_SQL = SCHEMA.folder / "functions/wallet/entry_hash.sql"


def migrate_again(url: str) -> None:
    """Take the books back to before the chain, and bring them forward again."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(WITHOUT_THE_CHAIN)
        connection.execute("set role casino_owner")
        connection.execute(FORMULA_SQL.read_bytes())
        connection.execute(CHAIN_SQL.read_bytes())
        connection.execute(BACK_TO_0006)
    migrate(SCHEMA, url)


@pytest.fixture
def played(postgres_server: PostgresServer) -> Iterator[tuple[Tenant, Wallet]]:
    """Books of two wallets, in a database of their own."""
    name = f"casino_chain_{uuid.uuid4().hex}"
    url = create_database(postgres_server, name)
    migrate(SCHEMA, url)
    seed_demo(url)
    tenant = Tenant.demo(url)
    wallet = Wallet(tenant, settings_of(tenant))
    yield tenant, wallet
    wallet.close()
    tenant.close()
    drop_database(postgres_server, name)


def test_books_from_before_the_chain_are_hashed_in_order_and_answer_as_they_did(
    played: tuple[Tenant, Wallet],
) -> None:
    tenant, wallet = played
    one, two = wallet.open_session("1"), wallet.open_session("2")
    bets = [wallet.bet(session) for session in (one, two, one, two, one)]
    wallet.accept(one.rollback(bets[0].transaction_id))
    tenant.open_player("poor", balance_minor=0)
    poor = wallet.open_session("poor")
    assert wallet.refuse(poor.debit()) == "insufficient_balance"
    migrate_again(tenant.url)

    for player_id in ("1", "2"):
        chain = entries(tenant, player_id)
        assert [row["entry_hash"] for row in chain] == hashes_by_hand(chain)
        assert tenant.wallet(player_id)["head_hash"] == chain[-1]["entry_hash"]
    assert tenant.wallet("poor")["head_hash"] is None
    assert tenant.differences() == []
    replayed = wallet.run(bets[1])
    assert (replayed.replay, replayed.head) == (True, None)
    assert b"head" not in answer(bets[1], replayed)[1]
    assert wallet.accept(one.debit()).head is not None
    assert tenant.differences() == []


def test_what_was_recorded_without_a_signer_stays_as_free_as_it_was(played: tuple[Tenant, Wallet]) -> None:
    """Revision 0007. A row from before changes its state, a new one needs its signer; one chain holds both formulas."""
    tenant, wallet = played
    session = wallet.open_session("1")
    undone, paid = wallet.bet(session), wallet.bet(session, round_id="paid")
    migrate_again(tenant.url)
    assert {(row["entry_formula"], row["signed_by"]) for row in tenant.transactions()} == {(1, None)}

    undo = session.rollback(undone.transaction_id)
    wallet.accept(undo)
    wallet.accept(session.credit(500, round_id="paid", related_id=paid.transaction_id))
    assert tenant.feed_states()[undone.transaction_id] == "rolled_back"
    chain = entries(tenant)
    assert [row["entry_formula"] for row in chain] == [1, 1, 1, 2, 2]
    assert [row["entry_hash"] for row in chain] == hashes_by_hand(chain)
    assert tenant.differences() == []
    with pytest.raises(psycopg.errors.CheckViolation, match="wire_transaction_is_signed"):
        wallet.run(structs.replace(session.debit(), signed_by=""))
    tenant.sql("update casino.transactions set recorded_at = now() where transaction_id = %s", undone.transaction_id)
    by_the_event = {"event_tells_of_a_transaction", "every_transaction_was_told"}
    assert {row["rule"] for row in tenant.differences()} == by_the_event, "formula 1 does not cover the time"
    tenant.sql("update casino.transactions set recorded_at = now() where transaction_id = %s", undo.transaction_id)
    by_the_hash = {"entry_hash_follows_from_the_one_before"}
    assert {row["rule"] for row in tenant.differences()} == by_the_event | by_the_hash


def test_revisions_that_add_constraints_give_up_while_the_table_is_in_use(
    own_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They leave everything as it was, and are run again later."""
    with psycopg.connect(own_database) as reader:
        reader.execute(BACK_TO_0006)
        reader.commit()
        reader.execute("select count(*) from casino.transactions")
        monkeypatch.setattr("shared_service.postgres.migrate.PATIENCE_SECONDS", 0.0)
        with pytest.raises(psycopg.errors.LockNotAvailable):
            migrate(SCHEMA, own_database)
        assert reader.execute("select version_num from casino.alembic_version").fetchone() == ("0006",)
    assert f"migrated 0006 to {SCHEMA.newest_revision()}" in migrate(SCHEMA, own_database)


def test_no_row_gets_a_position_that_the_feed_never_shows(played: tuple[Tenant, Wallet]) -> None:
    """Revision 0009. The owner, too, has to take a constraint away first."""
    tenant, wallet = played
    wallet.bet(wallet.open_session("1"))
    for position in (0, -5):
        with pytest.raises(psycopg.errors.CheckViolation, match="feed_position_positive"):
            tenant.sql("update casino.transactions set feed_position = %s where feed_position is not null", position)
    valid = tenant.sql("select convalidated from pg_constraint where conname like '%%_position_positive'", {})
    assert [row["convalidated"] for row in valid] == [False, False], "no row was read, so that no bet waited"


def test_an_index_that_was_not_finished_is_built_anew(own_database: str) -> None:
    with psycopg.connect(own_database, autocommit=True) as connection:
        connection.execute(BACK_TO_0006)
        connection.execute(
            "update pg_index set indisvalid = false where indexrelid = 'casino.transactions_unsigned'::regclass"
        )
        migrate(SCHEMA, own_database)
        row = connection.execute(
            "select indisvalid from pg_index where indexrelid = 'casino.transactions_unsigned'::regclass"
        ).fetchone()
    assert row == (True,)
