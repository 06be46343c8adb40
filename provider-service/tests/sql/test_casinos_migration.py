"""Revision 0005 on books that the release before filled, while bets go on."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from local_stack.testing import PostgresServer, create_database, drop_database
from provider.sql.schema import SCHEMA
from provider_testing.service import rows
from shared_service.postgres.migrate import migrate
from shared_service.postgres.schema import Schema

BEFORE = "0004"
BET_WAITS_MAX = "set lock_timeout = '5s'"
BET = "update provider.wallet_transactions set attempts = attempts + 1"
FILL = """
    insert into provider.players (casino_code, user_id) select code, n::text
    from unnest(array['JAQPOT', 'OLD']) as code, generate_series(1, 3) as n order by code desc, n;
    insert into provider.game_sessions (provider_session_id, casino_code, casino_session_id, player_id, user_id,
        game_code, currency, token_sealed)
    select gen_random_uuid(), casino_code, player_id, player_id, user_id, 'SLOTS_001', 'USD', '' from provider.players;
    insert into provider.rounds (round_id, provider_session_id, kind, lease_until)
    select gen_random_uuid(), provider_session_id, 'scripted', now() from provider.game_sessions;
    insert into provider.wallet_transactions (transaction_id, kind, reason, provider_session_id, round_id, amount_minor,
        currency, related_transaction_id, due_at)
    select gen_random_uuid(), 'credit', 'x', provider_session_id, round_id, 5, 'USD', gen_random_uuid(), now()
    from provider.rounds;
    insert into provider.reconciliation_runs (ran_by, heals, started_at, lease_until, ended_at, exit_status)
    values ('before', true, now(), now(), now(), 0);
"""


@pytest.fixture
def filled_url(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[str]:
    """A database at the revision before, with players of two casinos."""
    url = create_database(postgres_server, "provider_before_casinos")
    old = Schema("provider", Path(shutil.copytree(SCHEMA.folder, tmp_path / "sql")))
    for file in (old.folder / "migrations/versions").glob("*.*"):
        if file.name[:4] > BEFORE:
            file.unlink()
    migrate(old, url)
    with psycopg.connect(url) as connection:
        connection.execute(FILL.encode())
    yield url
    drop_database(postgres_server, "provider_before_casinos")


def test_what_was_there_belongs_to_its_casino_afterwards(filled_url: str) -> None:
    migrate(SCHEMA, filled_url)
    known = (
        "select casino_code, known_since = installed_at as since"
        " from provider.casinos, provider.reconciliation_schedule"
    )
    assert sorted((row["casino_code"], row["since"]) for row in rows(filled_url, known)) == [
        ("JAQPOT", True),
        ("OLD", True),
    ]
    assert rows(filled_url, "select casino_code from provider.reconciliation_runs") == [{"casino_code": "JAQPOT"}]
    claim = "select o_casino_code from provider.claim_due_of(array['JAQPOT', 'OLD'], array[9, 2], 60)"
    assert sorted(row["o_casino_code"] for row in rows(filled_url, claim)) == ["JAQPOT"] * 3 + ["OLD"] * 2


def test_it_may_be_taken_again_from_the_middle(filled_url: str) -> None:
    """As after a migration that was interrupted, which leaves an index that is not valid."""
    migrate(SCHEMA, filled_url)
    with psycopg.connect(filled_url, autocommit=True) as owner:
        owner.execute("update provider.alembic_version set version_num = %s", (BEFORE,))
        owner.execute(
            "update pg_index set indisvalid = false"
            " where indexrelid = 'provider.wallet_transactions_due_by_casino'::regclass"
        )
    migrate(SCHEMA, filled_url)
    indexes = rows(
        filled_url,
        "select relname::text, indisvalid from pg_index join pg_class on pg_class.oid = indexrelid"
        " where relname like 'wallet_transactions_due%%' order by relname",
    )
    assert indexes == [
        {"relname": "wallet_transactions_due_by_casino", "indisvalid": True},
        {"relname": "wallet_transactions_due_unrouted", "indisvalid": True},
    ]


def test_bets_go_on_while_it_waits_for_an_old_transaction(filled_url: str) -> None:
    """A backup's transaction holds the migration up, not the bets behind it."""
    with psycopg.connect(filled_url) as old, psycopg.connect(filled_url, autocommit=True) as bets:
        old.execute("select from provider.wallet_transactions")
        bets.execute(BET_WAITS_MAX)
        migrating = threading.Thread(target=migrate, args=(SCHEMA, filled_url))
        migrating.start()
        for _ in range(200):
            bets.execute(BET)
        assert migrating.is_alive()
        old.rollback()
        while migrating.is_alive():
            bets.execute(BET)
            migrating.join(0.01)
    assert rows(filled_url, "select version_num from provider.alembic_version") != [{"version_num": BEFORE}]
