"""Revision 0011: the release before books on while its database is migrated, and afterwards, and no chain breaks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from casino.sql.schema import SCHEMA
from casino_testing.chain import entries, hashes_by_hand
from casino_testing.service import login_url, settings_of
from casino_testing.tenant import Tenant
from casino_testing.wallet import Wallet
from local_stack.testing import PostgresServer, create_database, drop_database
from shared_service.postgres.migrate import migrate

ROOT = Path(__file__).parents[3]
REVISION = "casino-service/src/casino/sql/migrations/versions/0011_kernel.sql"
PACKAGES = ("casino-service", "shared-service", "shared-signing")
BETS_BEFORE, BETS_AFTER = 20, 20
BETTING = '''
"""A process of the release before: bets on two wallets, with its own statements and its own time-outs."""
import asyncio, hashlib, json, sys
from casino.settings import Settings
from casino.sql.schema import database_for
from casino.wallet.commands import Ledger, WalletCommand

async def main():
    database = database_for(Settings(database_url=sys.argv[1], owner_database_url=sys.argv[1]))
    await database.open()
    ledger = Ledger(database, 1)
    number = 0
    while True:
        commands = [
            WalletCommand(kind=kind, player_id=player,
                token_hash=hashlib.sha256(f"token of {player}".encode()).hexdigest(),
                transaction_id=f"{kind}-{number}", round_id=f"round-{number}", request_id="q", signed_by="main",
                amount=0 if kind == "rollback" else 1000,
                related_id=None if kind == "debit" else f"debit-{number}")
            for player in ("1", "2") for kind in ("debit", "rollback" if number % 2 else "credit")
        ]
        for batch in (commands[::2], commands[1::2]):
            outcomes = await ledger.execute(batch)
            print(json.dumps([outcome.code if outcome else "busy" for outcome in outcomes]), flush=True)
        number += 1

asyncio.run(main())
'''
KEYS_WITHOUT_A_PROVIDER = """
    select conrelid::regclass::text, conname from pg_constraint
    where connamespace = 'casino'::regnamespace and contype in ('p', 'f') and conrelid = any (
        '{casino.rounds, casino.tombstones, casino.attempts, casino.postings, casino.transactions}'::regclass[]
    ) and (not convalidated or conname not in ('transaction_has_wallet', 'round_has_session') and not exists (
        select from pg_attribute
        where attrelid = conrelid and attnum = any (conkey) and attname = 'provider_id'
    ))
    union all
    select indrelid::regclass::text, indexrelid::regclass::text from pg_index
    where indrelid::regclass::text like 'casino.%' and (not indisvalid or indexrelid::regclass::text like '%_feed')
    order by 1, 2
"""
OPEN_SESSION = """
    select o_code from casino.open_session(1, 'JAQPOT', %s, '1', gen_random_uuid(),
        sha256(convert_to('token of ' || %s::text, 'UTF8')), null, null)
"""


FEED_OF_THE_RELEASE_BEFORE = """
    select count(*) from casino.transaction_feed
    where ledger_id = 1 and feed_position > 0 and feed_position < casino.feed_horizon(1)
"""


def git(*arguments: str) -> bytes:
    return subprocess.run(["git", "-C", str(ROOT), *arguments], check=True, capture_output=True, timeout=60).stdout


@pytest.fixture(scope="module")
def release_before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources as they were before the revision."""
    if not (ROOT / ".git").exists():
        pytest.skip("the release before is in the history of the repository, which is not here")
    added = git("log", "--diff-filter=A", "--format=%H", "--", REVISION).decode().split()
    folder = tmp_path_factory.mktemp("release_before")
    archive = git("archive", f"{added[-1]}^" if added else "HEAD", *PACKAGES)
    subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True, timeout=60)
    return folder


def environment(sources: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(str(sources / package / "src") for package in PACKAGES)}


@pytest.fixture
def database_before(postgres_server: PostgresServer, release_before: Path) -> Iterator[str]:
    """A database that the release before made, with a session for each player."""
    name = f"casino_before_{uuid.uuid4().hex}"
    url = create_database(postgres_server, name)
    own = {"CASINO_OWNER_DATABASE_URL": url, "CASINO_DEMO": "1"}
    for command in ("migrate", "seed-demo"):
        subprocess.run(
            [sys.executable, "-m", "casino", command], env=environment(release_before) | own, check=True, timeout=120
        )
    with psycopg.connect(url, autocommit=True) as connection:
        for player_id in ("1", "2"):
            assert connection.execute(OPEN_SESSION, [player_id, player_id]).fetchone() == (None,)
    yield url
    drop_database(postgres_server, name)


def test_the_release_before_bets_through_the_migration_and_after_it(database_before: str, release_before: Path) -> None:
    """Its bets give up after three seconds: none does, so none waited that long."""
    tenant = Tenant.demo(database_before)
    said: list[list[str | None]] = []
    with subprocess.Popen(
        [sys.executable, "-c", BETTING, login_url(tenant.url)],
        env=environment(release_before), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as betting:  # fmt: skip
        assert betting.stdout is not None
        try:
            while len(said) < BETS_BEFORE:
                said.append(next_answer(betting))
            assert f"migrated 0010 to {SCHEMA.newest_revision()}" in migrate(SCHEMA, database_before)
            booked = newest_position(tenant)
            while len(said) < BETS_BEFORE + BETS_AFTER or newest_position(tenant) <= booked:
                said.append(next_answer(betting))
        finally:
            betting.kill()
        said += [json.loads(line) for line in betting.stdout.read().splitlines() if line.endswith("]")]
    assert {code for answer in said for code in answer} == {None}, "every bet and every payout was booked"

    assert tenant.differences() == []
    assert keys_without_a_provider(database_before) == []
    with psycopg.connect(login_url(database_before), options="-c role=casino_app") as reader:
        assert reader.execute(FEED_OF_THE_RELEASE_BEFORE).fetchone() == (0,), "without a tenant nobody sees a row"
        reader.execute("set application_name = 'casino-service'")
        assert reader.execute(FEED_OF_THE_RELEASE_BEFORE).fetchone() != (0,), "but for the processes of that release"
    for player_id in ("1", "2"):
        chain = entries(tenant, player_id)
        assert len(chain) > BETS_BEFORE
        assert [row["entry_hash"] for row in chain] == hashes_by_hand(chain)
    told = [row["event_type"] for row in tenant.rows("ledger_events")]
    counted = tenant.sql("select kind, count(*) as count from casino.transactions group by kind")
    kinds = {"debit": "BET", "credit": "WIN", "rollback": "ROLLBACK", "deposit": "DEPOSIT"}
    assert {kinds[row["kind"]]: row["count"] for row in counted} == {name: told.count(name) for name in set(told)}

    wallet = Wallet(tenant, settings_of(tenant))
    wallet.bet(wallet.open_session("1"), transaction_id="of this release", round_id="of this release")
    wallet.close()
    assert tenant.differences() == []
    tenant.close()


def keys_without_a_provider(url: str) -> list[tuple[str, str]]:
    """Keys by which one id serves one provider only, keys that are not checked, and indexes that were not finished."""
    with psycopg.connect(url) as connection:
        return connection.execute(KEYS_WITHOUT_A_PROVIDER).fetchall()


def newest_position(tenant: Tenant) -> int:
    return int(tenant.sql("select max(feed_position) as last from casino.transactions")[0]["last"])


def next_answer(betting: subprocess.Popen[str]) -> list[str | None]:
    assert betting.stdout is not None
    line = betting.stdout.readline()
    if not line:
        assert betting.stderr is not None
        raise AssertionError(betting.stderr.read())
    answer: list[str | None] = json.loads(line)
    return answer
