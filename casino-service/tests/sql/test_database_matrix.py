"""Whatever the operator's database, login or address has set: every answer is the same.

A seeded sample of local_stack.unusual_settings; NIGHTLY=1 plays every case.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from casino.__main__ import main
from casino.sql.schema import SCHEMA
from casino_testing.edge import Content, Service, bet, payout, rollback, serving
from casino_testing.tenant import Tenant
from local_stack.testing import PostgresServer, drop_database
from local_stack.unusual_settings import ODD_NAMES, Case, cases, made
from shared_service.postgres import sessions as postgres_session
from shared_service.postgres.migrate import migrate

ROUNDS_AT_ONCE = 12
FEW_ROUNDS = 2
REASON = "ボーナス „Größe“ ✓ 𝄞"
OWN, OWNERS = "CASINO_DATABASE_URL", "CASINO_OWNER_DATABASE_URL"
ROLES = ("casino_app", "casino_owner")
LOGIN_CHARACTERS_MAX = 63


@pytest.fixture
def books(own_database: str) -> Iterator[Tenant]:
    """The demo tenant in a database of its own, over a connection from before anything is set."""
    tenant = Tenant.demo(own_database)
    yield tenant
    tenant.close()


@pytest.mark.parametrize("case", cases(), ids=str)
async def test_no_setting_changes_an_answer(postgres_server: PostgresServer, books: Tenant, case: Case) -> None:
    """Red before: serializable, LATIN1 with a Japanese reason, transaction_timeout."""
    with both_logins(postgres_server, books, case, f"operator_{uuid.uuid4().hex[:8]}") as (owners, own):
        await everything_works(books, owners, own)


@pytest.mark.parametrize("name", ODD_NAMES)
async def test_a_login_may_be_called_anything(postgres_server: PostgresServer, books: Tenant, name: str) -> None:
    with both_logins(postgres_server, books, Case("login", ()), name) as (owners, own):
        await everything_works(books, owners, own, rounds=FEW_ROUNDS)


@contextmanager
def both_logins(server: PostgresServer, books: Tenant, case: Case, name: str) -> Iterator[tuple[str, str]]:
    """The addresses of the owner's login and of the one that serves, with the settings of a case."""
    with (
        made(server.url(), books.url, case, name=f"o{name}"[:LOGIN_CHARACTERS_MAX], roles=("casino_owner",)) as owners,
        made(server.url(), books.url, case, name=name, roles=("casino_app",)) as own,
    ):
        yield owners, own


async def everything_works(books: Tenant, owners: str, own: str, *, rounds: int = ROUNDS_AT_ONCE) -> None:
    """The schema is made anew, rounds are played, the books are compared, and each answer is the right one."""
    books.sql("update casino.applied_sql_files set sha256 = 'of another release'")
    migrate(SCHEMA, owners)
    async with serving(books, database_url=own) as service:
        placed = await play(service, rounds)
        await shown(service, placed)
    ended = CliRunner().invoke(main, ["check-ledger"], env={"CASINO_OWNER_DATABASE_URL": owners})
    assert (ended.exit_code, ended.stdout) == (0, f"ledger 1: 2 wallets, {len(placed) + 2} transactions: whole\n")
    assert books.differences() == []


async def play(service: Service, rounds: int) -> dict[str, Any]:
    """Bets of two players at once, payouts with a reason in every script, rollbacks, replays; by id what was asked."""
    tokens = {player: await service.launch(player) for player in ("1", "2")}
    placed: dict[str, Content] = {}

    async def one_round(number: int) -> None:
        player = str(1 + number % 2)
        common = {"userId": player, "roundId": f"round {number}"}
        debit = bet(tokens[player], **common)
        credit = payout(tokens[player], debit["transactionId"], reason=REASON, **common)
        undone = bet(tokens[player], **{**common, "roundId": f"undone {number}"})
        undo = rollback(tokens[player], undone["transactionId"], **{**common, "roundId": f"undone {number}"})
        for endpoint, content in (("debit", debit), ("debit", undone), ("rollback", undo), ("credit", credit)):
            for _ in range(2):  # the second time it is a replay
                answer = await service.post(endpoint, content)
                assert answer.status_code == 200, answer.text
            placed[content["transactionId"]] = content

    await asyncio.gather(*(one_round(number) for number in range(rounds)))
    for player, token in tokens.items():
        balance = await service.post("getBalance", {"sessionToken": token, "userId": player})
        assert (balance.status_code, balance.json()["balance"]) == (200, str(1_000_000 + rounds // 2 * 1_000))
    return placed


async def shown(service: Service, placed: dict[str, Any]) -> None:
    """What the feed tells, and when it says that it was."""
    page = (await service.get("/casino/transactions?limit=1000")).json()
    rows = page["transactions"]
    assert {row["transactionId"] for row in rows} == set(placed)
    assert {row["state"] for row in rows if row["type"] == "debit"} == {"settled", "rolled_back"}
    now = datetime.now(UTC)
    assert all(abs(datetime.fromisoformat(row["at"]) - now) < timedelta(hours=1) for row in rows)
    reasons = service.tenant.sql("select distinct reason from casino.transactions where kind = 'credit'")
    assert [row["reason"] for row in reasons] == [REASON]


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII", "EUC_JP"])
def test_a_database_that_cannot_hold_every_text_is_refused_with_a_sentence(
    postgres_server: PostgresServer, encoding: str
) -> None:
    name = f"casino_{encoding.lower()}_{uuid.uuid4().hex}"
    url = postgres_server.url(name)
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute(f"create database {name} encoding '{encoding}' locale 'C' template template0")
    try:
        environment = {OWN: url, OWNERS: url, "CASINO_DEMO": "1"}
        for command in ("migrate", "seed-demo", "serve", "check-ledger", "keys", "after-restore"):
            refused_with_a_sentence(command, environment, f"is encoded in {encoding}")
    finally:
        drop_database(postgres_server, name)


@pytest.mark.parametrize(
    ("setting", "value"), [("session_replication_role", "replica"), ("default_transaction_read_only", "on")]
)
def test_a_setting_that_a_login_may_not_undo_is_named(
    postgres_server: PostgresServer, books: Tenant, setting: str, value: str
) -> None:
    case = Case("database", ((setting, value),))
    with made(postgres_server.url(), books.url, case, name=f"operator_{uuid.uuid4().hex[:8]}", roles=ROLES) as address:
        for command in ("migrate", "serve", "check-ledger"):
            refused_with_a_sentence(command, {OWN: address, OWNERS: address, "CASINO_DEMO": "1"}, setting)


def test_a_login_that_may_not_become_the_application_is_told_what_to_grant(
    postgres_server: PostgresServer, books: Tenant
) -> None:
    name = "a 'stranger'"
    with made(postgres_server.url(), books.url, Case("login", ()), name=name, roles=()) as address:
        advice = f'grant casino_app to "{name}"'
        refused_with_a_sentence("serve", {OWN: address, "CASINO_DEMO": "1"}, advice)


def test_an_older_server_is_refused_with_a_sentence(books: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """As this server would be if a later version were needed."""
    monkeypatch.setattr(postgres_session, "SERVER_VERSION_MIN", 99_00_00)
    for command in ("migrate", "serve"):
        refused_with_a_sentence(
            command, {OWN: books.url, OWNERS: books.url, "CASINO_DEMO": "1"}, "17 or newer is needed"
        )


def refused_with_a_sentence(command: str, environment: dict[str, str], told: str) -> None:
    ended = CliRunner().invoke(main, [command], env=environment)
    said = ended.output.strip()
    assert ended.exit_code in (1, 2), ended.output
    assert told in said, command
    assert "Traceback" not in said
    assert len(said.splitlines()[-1:]) == 1
    assert isinstance(ended.exception, SystemExit), ended.exception
