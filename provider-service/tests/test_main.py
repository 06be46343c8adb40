"""What a database can refuse to a command: one sentence that says what to do, never a traceback or a password."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from click.testing import CliRunner
from psycopg import sql
from psycopg.conninfo import make_conninfo

from local_stack.testing import PostgresServer, create_database, drop_database
from provider.__main__ import main

OWNERS = "PROVIDER_OWNER_DATABASE_URL"
OWN = "PROVIDER_DATABASE_URL"
CANARY = "canary-of-a-password"
NEED_THE_OWNER = ["migrate", "revoke-key --list"]
NEED_THE_SCHEMA = ["keys", "revoke-key --list", "heads", "transaction x", "recover-once", "reconcile --json"]
COULD_NOT_LOOK = ("heads", "transaction", "reconcile")


@pytest.fixture
def empty_database(postgres_server: PostgresServer) -> Iterator[str]:
    """A database that was never migrated."""
    yield create_database(postgres_server, "provider_never")
    drop_database(postgres_server, "provider_never")


def refused(command: str, environment: dict[str, str], *named: str) -> None:
    ended = CliRunner().invoke(main, command.split(), env={"CASINO_DEMO": "1", **environment})
    assert isinstance(ended.exception, SystemExit), (command, ended.exception)
    assert ended.exit_code == (2 if command.split(maxsplit=1)[0] in COULD_NOT_LOOK else 1), command
    assert len(ended.output.splitlines()) == 1, ended.output
    assert "Traceback" not in ended.output
    assert CANARY not in ended.output
    assert "grant" not in ended.output
    for each in named:
        assert each in ended.output, command


FAULTS: dict[str, dict[str, str]] = {
    "wrong password": {"password": CANARY},
    "no such database": {"dbname": "nowhere"},
    "no such login": {"user": "nobody"},
    "server away": {"port": "1", "password": CANARY},
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("command", [*NEED_THE_OWNER, "keys", "recover-once"])
def test_who_cannot_connect_is_told_which_variable_to_look_at(database_url: str, command: str, fault: str) -> None:
    address = make_conninfo(database_url, **FAULTS[fault])
    refused(command, {OWNERS: address, OWN: address}, OWNERS if command in NEED_THE_OWNER else OWN)


@pytest.mark.parametrize("owners", [None, "", "the application's"])
@pytest.mark.parametrize("command", NEED_THE_OWNER)
def test_the_applications_login_is_told_to_be_the_owners(database_url: str, command: str, owners: str | None) -> None:
    addresses = {OWN: database_url}
    if owners is not None:
        addresses[OWNERS] = owners and database_url
    refused(command, addresses, OWNERS)


@pytest.mark.parametrize("command", NEED_THE_SCHEMA)
def test_a_database_that_was_never_migrated_is_told_to_be(empty_database: str, command: str) -> None:
    refused(command, {OWN: empty_database, OWNERS: empty_database}, "provider migrate")


def test_a_schema_that_lacks_a_table_is_told_to_be_migrated(owner_url: str) -> None:
    """As a program finds it that is newer than the schema."""
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute(sql.SQL("drop table {} cascade").format(sql.Identifier("provider", "key_revocations")))
    refused("keys", {OWN: owner_url}, "provider migrate")


def test_a_schema_whose_revision_is_lost_is_not_migrated_anew(owner_url: str) -> None:
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("delete from provider.alembic_version")
    refused("migrate", {OWNERS: owner_url}, "provider.alembic_version")
