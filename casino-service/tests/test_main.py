"""Commands that settings or a database stop: one line that says what to do, never a traceback or a password."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from casino.__main__ import main
from local_stack.testing import PostgresServer, create_database, drop_database
from shared_service_testing.refused_commands import FAULTS, require_refusal

OWNERS = "CASINO_OWNER_DATABASE_URL"
OWN = "CASINO_DATABASE_URL"
INSTALL = [
    "create-tenant",
    "add-game 3 DICE_001 Dice --min-bet-minor 1 --max-bet-minor 2",
    "set-win-cap 1 5",
    "add-player 3 Ada --currency EUR",
]
NEED_THE_OWNER = [
    *("migrate", "after-restore", "seed-demo", "revoke-key --list", "revoke-tokens 1", "check-ledger", "transaction x"),
    *INSTALL,
]
READ = ["keys"]
NEED_THE_SCHEMA = [*NEED_THE_OWNER[1:], *READ]
COULD_NOT_LOOK = ("check-ledger", "transaction")
TABLES = {"key_revocations": "keys", "access_token_revocations": "revoke-tokens 1", "games": "seed-demo"}


@dataclass(frozen=True)
class Logins:
    """Addresses of one database, as the stack makes them."""

    owner: str
    app: str


@pytest.fixture(scope="module")
def logins(postgres_server: PostgresServer, shared_database: str) -> Iterator[Logins]:
    """A login that may become the owner, and one that may become the application."""
    name = str(conninfo_to_dict(shared_database)["dbname"])
    made = {role: f"{role}_{uuid.uuid4().hex[:8]}" for role in ("casino_owner", "casino_app")}
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        for role, login in made.items():
            statement = sql.SQL("create role {} login noinherit password {} in role {}")
            password = sql.Literal(postgres_server.passwords.of(login))
            connection.execute(statement.format(sql.Identifier(login), password, sql.Identifier(role)))
        yield Logins(*(postgres_server.url(name, user=login) for login in made.values()))
        for login in made.values():
            connection.execute(sql.SQL("drop role {}").format(sql.Identifier(login)))


@pytest.fixture(scope="module")
def empty_database(postgres_server: PostgresServer) -> Iterator[str]:
    """A database that was never migrated."""
    name = f"casino_empty_{uuid.uuid4().hex}"
    yield create_database(postgres_server, name)
    drop_database(postgres_server, name)


refused = partial(require_refusal, main, examinations=COULD_NOT_LOOK)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("command", [*NEED_THE_OWNER, *READ])
def test_who_cannot_connect_is_told_which_variable_to_look_at(logins: Logins, command: str, fault: str) -> None:
    owner, app = (make_conninfo(url, **FAULTS[fault]) for url in (logins.owner, logins.app))
    refused(command, {OWNERS: owner, OWN: app}, OWNERS if command in NEED_THE_OWNER else OWN)


@pytest.mark.parametrize("owners", [None, "", "the application's"])
@pytest.mark.parametrize("command", NEED_THE_OWNER)
def test_the_applications_login_is_told_to_be_the_owners(logins: Logins, command: str, owners: str | None) -> None:
    addresses = {OWN: logins.app}
    if owners is not None:
        addresses[OWNERS] = owners and logins.app
    refused(command, addresses, OWNERS)


@pytest.mark.parametrize("command", NEED_THE_SCHEMA)
def test_a_database_that_was_never_migrated_is_told_to_be(empty_database: str, command: str) -> None:
    refused(command, {OWN: empty_database, OWNERS: empty_database}, "casino migrate")


@pytest.mark.parametrize("table", TABLES)
def test_a_schema_that_lacks_a_table_is_told_to_be_migrated(own_database: str, table: str) -> None:
    """As a program finds it that is newer than the schema."""
    with psycopg.connect(own_database, autocommit=True) as connection:
        connection.execute(sql.SQL("drop table {} cascade").format(sql.Identifier("casino", table)))
    refused(TABLES[table], {OWN: own_database, OWNERS: own_database}, "casino migrate")


def test_a_schema_whose_revision_is_lost_is_not_migrated_anew(own_database: str) -> None:
    with psycopg.connect(own_database, autocommit=True) as connection:
        connection.execute("delete from casino.alembic_version")
    refused("migrate", {OWNERS: own_database}, "casino.alembic_version")
