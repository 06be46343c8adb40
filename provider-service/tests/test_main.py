"""Commands with unfit settings or database print one line, without a traceback or password."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from local_stack.testing import PostgresServer, create_database, drop_database
from provider.__main__ import main
from provider.sql.schema import SCHEMA
from provider_testing.fake_wallet import FakeWallet
from provider_testing.process import SAME_PROGRAMS, ProviderProcess
from shared_service.postgres.migrate import migrate
from shared_service_testing.refused_commands import FAULTS, require_refusal

OWNERS = "PROVIDER_OWNER_DATABASE_URL"
OWN = "PROVIDER_DATABASE_URL"
NEED_THE_OWNER = ["migrate", "revoke-key --list"]
NEED_THE_SCHEMA = ["keys", "revoke-key --list", "heads", "transaction x", "recover-once", "reconcile --json"]
COULD_NOT_LOOK = ("heads", "transaction", "reconcile")


@pytest.fixture
def empty_database(postgres_server: PostgresServer) -> Iterator[str]:
    """A database that was never migrated."""
    yield create_database(postgres_server, "provider_never")
    drop_database(postgres_server, "provider_never")


refused = partial(require_refusal, main, examinations=COULD_NOT_LOOK)


@pytest.mark.parametrize("fault", FAULTS)
def test_who_cannot_connect_is_told_which_variable_to_look_at(database_url: str, fault: str) -> None:
    address = make_conninfo(database_url, **FAULTS[fault])
    for command in (*NEED_THE_OWNER, "keys", "recover-once"):
        refused(command, {OWNERS: address, OWN: address}, OWNERS if command in NEED_THE_OWNER else OWN)


def test_the_applications_login_is_told_to_be_the_owners(database_url: str) -> None:
    for command in NEED_THE_OWNER:
        for owners in ({}, {OWNERS: ""}, {OWNERS: database_url}):
            refused(command, {OWN: database_url, **owners}, OWNERS)


def test_a_database_that_was_never_migrated_is_told_to_be(empty_database: str) -> None:
    for command in NEED_THE_SCHEMA:
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


def run(command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "provider", command],
        env={**SAME_PROGRAMS, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", ["serve", "recover-once"])
def test_a_service_without_settings_ends_at_once_and_says_what_is_missing(command: str) -> None:
    ended = run(command)
    assert ended.returncode == 1
    for name in ("CASINO_SECRET", "PROVIDER_SECRET", "PROVIDER_DATABASE_URL"):
        assert sum(name in line for line in ended.stderr.splitlines()) == 1, ended.stderr


def test_a_service_with_weak_secrets_does_not_start_and_does_not_show_them() -> None:
    ended = run("serve", PROVIDER_DATABASE_URL="postgresql://x", CASINO_SECRET="tiny-canary", PROVIDER_SECRET="canary2")
    assert ended.returncode == 1
    assert "CASINO_SECRET" in ended.stderr
    assert "canary" not in ended.stderr + ended.stdout


def test_a_migration_without_a_database_address_says_so() -> None:
    ended = run("migrate")
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert "PROVIDER_OWNER_DATABASE_URL" in ended.stderr


def test_the_migration_command_is_idempotent(owner_url: str) -> None:
    migrate(SCHEMA, owner_url)  # a copy of a template does not keep the rights on its database
    for _ in range(2):
        ended = run("migrate", PROVIDER_DATABASE_URL=owner_url, PROVIDER_OWNER_DATABASE_URL=owner_url)
        assert (ended.returncode, len(ended.stdout.splitlines())) == (0, 1)


def test_a_serving_process_is_small_and_does_not_load_what_only_migrations_need(
    database_url: str, wallet: FakeWallet, tmp_path: Path
) -> None:
    probe = "import sys, provider.app; print([m for m in sys.modules if m in ('alembic', 'sqlalchemy')])"
    loaded = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, timeout=60, check=True)
    assert loaded.stdout == "[]\n"
    with ProviderProcess(database_url, wallet.url, tmp_path / "log") as provider:
        assert provider.resident_mib() < 150
