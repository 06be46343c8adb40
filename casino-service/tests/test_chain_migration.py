"""Revision 0003 on books that were kept without a chain: every entry gets its hash, and no answer changes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from casino_testing.chain import entries, hashes_by_hand
from casino_testing.service import settings_of
from casino_testing.tenant import Tenant
from casino_testing.wallet import Wallet, answer

from casino import migrate as migration
from casino.demo import seed_demo
from casino.migrate import migrate
from local_stack.testing import PostgresServer, create_database, drop_database

WITHOUT_THE_CHAIN = """
    drop view casino.ledger_differences;
    drop function casino.wallet_differences, casino.ledger_wide_differences, casino.entry_hash, casino.head;
    alter table casino.transactions drop column entry_hash, drop column answered_with_head, drop column signed_by,
        drop column clock_skew_seconds, drop column received_at;
    alter table casino.wallets drop column head_hash;
    alter table casino.game_sessions drop column open_bets;
    drop index casino.game_sessions_open;
    drop table casino.attempts;
    alter type casino.judged_command drop attribute entry_sequence_no, drop attribute entry_hash,
        drop attribute open_bets_delta, drop attribute signed_by, drop attribute clock_skew_seconds,
        drop attribute received_at;
"""
REVISION_SQL = Path(migration.__file__).parent / "sql/migrations/versions/0003_chain.sql"
FORMULA_SQL = Path(migration.__file__).parent / "sql/functions/wallet/entry_hash.sql"


@pytest.fixture
def played(postgres_server: PostgresServer) -> Iterator[tuple[Tenant, Wallet]]:
    """Books of two wallets, in a database of their own."""
    name = f"casino_chain_{uuid.uuid4().hex}"
    url = create_database(postgres_server, name)
    migrate(url)
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
    with psycopg.connect(tenant.url, autocommit=True) as connection:
        connection.execute(WITHOUT_THE_CHAIN)
        connection.execute("set role casino_owner")
        connection.execute(FORMULA_SQL.read_bytes())
        connection.execute(REVISION_SQL.read_bytes())
        connection.execute("update casino.applied_sql set digest = 'of an older release'")
    migrate(tenant.url)

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
