"""Migrations create the same schema in every way they are run, and the service has no more rights than it needs."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import sql

from local_stack.testing import PostgresServer, create_database, drop_database
from provider.sql.schema import SCHEMA, database_for
from provider_testing.service import rows, settings_for
from shared_service.postgres import sessions
from shared_service.postgres.migrate import MigrationRefused, migrate
from shared_service.postgres.schema import Schema


@pytest.fixture
def empty_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A database without anything in it."""
    yield create_database(postgres_server, "provider_empty")
    drop_database(postgres_server, "provider_empty")


def test_the_expected_version_is_alembics_head() -> None:
    config = Config()
    config.set_main_option("script_location", str(SCHEMA.folder / "migrations"))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == SCHEMA.newest_revision()


def test_a_second_migration_finds_nothing_to_do(empty_url: str) -> None:
    first = migrate(SCHEMA, empty_url)
    assert any(SCHEMA.newest_revision() in line for line in first)
    assert migrate(SCHEMA, empty_url) == []


def test_migrations_at_the_same_moment_do_the_work_once(empty_url: str) -> None:
    done: list[list[str]] = []
    threads = [threading.Thread(target=lambda: done.append(migrate(SCHEMA, empty_url))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert sorted(len(each) > 0 for each in done) == [False, False, False, True]


def test_a_function_file_that_changed_is_applied_again(empty_url: str, tmp_path: Path) -> None:
    migrate(SCHEMA, empty_url)
    copy = Schema("provider", Path(shutil.copytree(SCHEMA.folder, tmp_path / "sql")))
    clock = copy.folder / "functions/clock.sql"
    clock.write_text(clock.read_text() + "-- changed\n")
    assert migrate(copy, empty_url) == ["applied functions/clock.sql"]
    assert migrate(copy, empty_url) == []
    assert "applied functions/clock.sql" in migrate(SCHEMA, empty_url)


def test_no_role_of_the_application_makes_temporary_objects(empty_url: str) -> None:
    migrate(SCHEMA, empty_url)
    with psycopg.connect(empty_url, autocommit=True) as connection, connection.transaction(force_rollback=True):
        connection.execute("create role passer_by")
        for role in ("provider_app", "passer_by"):
            connection.execute(sql.SQL("set session authorization {}").format(sql.Identifier(role)))
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute("create temp table mine ()")
            connection.execute("reset session authorization")


def test_a_migration_that_may_not_take_that_right_says_who_can(empty_url: str, postgres_server: PostgresServer) -> None:
    migrate(SCHEMA, empty_url)
    with psycopg.connect(empty_url, autocommit=True) as connection:
        password = sql.Literal(postgres_server.passwords.of("deployer"))
        connection.execute(sql.SQL("create role deployer login in role provider_owner password {}").format(password))
        connection.execute("grant temporary on database provider_empty to public")
        said = migrate(SCHEMA, postgres_server.url("provider_empty", "deployer"))
        connection.execute("drop role deployer")
        assert said == [
            "the database's owner has to run, once: "
            'revoke temporary on database "provider_empty" from public, "provider_app"'
        ]
        assert migrate(SCHEMA, empty_url) == ["took the right to temporary objects away"]


def test_a_login_without_rights_is_told_what_an_administrator_has_to_do(
    empty_url: str, postgres_server: PostgresServer
) -> None:
    with psycopg.connect(empty_url, autocommit=True) as connection:
        password = sql.Literal(postgres_server.passwords.of("weak"))
        connection.execute(sql.SQL("create role weak login noinherit password {}").format(password))
        connection.execute("create role provider_owner nologin") if not rows(
            empty_url, "select from pg_roles where rolname = 'provider_owner'"
        ) else None
    weak_url = postgres_server.url("provider_empty", "weak")
    with pytest.raises(MigrationRefused, match="administrator"):
        migrate(SCHEMA, weak_url)
    with psycopg.connect(empty_url, autocommit=True) as connection:
        connection.execute("drop role weak")


@pytest.fixture
def app(database_url: str) -> Iterator[psycopg.Connection]:
    """A connection in the role that serves."""
    session = sessions.arguments(database_url, role=SCHEMA.app_role, application_name="test")
    with psycopg.connect(database_url, **session, autocommit=True) as connection:
        yield connection


@pytest.mark.usefixtures("own_patience")
async def test_the_service_connects_as_its_application_role_with_bounds(database_url: str) -> None:
    async with database_for(settings_for(database_url, "http://unused")) as database:
        names = ("role", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "search_path")
        shown = [(await database.call("select current_setting(%s)", [name]))[0][0] for name in names]
    assert shown == ["provider_app", "3s", "2s", "3s", "pg_catalog,pg_temp"]


FORBIDDEN = [
    "delete from provider.wallet_transactions",
    "delete from provider.wallet_attempts",
    "delete from provider.rounds",
    "delete from provider.game_sessions",
    "truncate provider.wallet_transactions",
    "update provider.wallet_transactions set amount_minor = 1",
    "update provider.wallet_transactions set currency = 'EUR'",
    "update provider.wallet_transactions set transaction_id = gen_random_uuid()",
    "update provider.wallet_transactions set rollback_transaction_id = gen_random_uuid()",
    "update provider.wallet_attempts set status = 200",
    "update provider.game_sessions set user_id = '2'",
    "update provider.game_sessions set token_sealed = ''",
    "delete from provider.reconciliation_runs",
    "delete from provider.reconciliation_differences",
    "update provider.reconciliation_differences set kind = 'state'",
    "update provider.reconciliation_differences set theirs = null",
    "update provider.reconciliation_runs set started_at = now()",
    "update provider.reconciliation_schedule set installed_at = now()",
    "insert into provider.alembic_version values ('9999')",
    "update provider.applied_sql_files set sha256 = ''",
    "create table provider.mine (id bigint)",
    "create schema mine",
    "alter table provider.rounds add column mine text",
    "drop table provider.nonces",
    "create function provider.mine() returns void language sql as ''",
    "select from casino.wallets",
    "set role provider_owner",
    "set role postgres",
]


def is_allowed(app: psycopg.Connection, statement: str) -> bool:
    try:
        app.execute(statement)
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidParameterValue):
        return False
    return True


def test_the_service_may_change_no_money_no_evidence_and_no_schema(app: psycopg.Connection, owner_url: str) -> None:
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("create schema casino")
        owner.execute("create table casino.wallets (balance_minor bigint)")
    assert [statement for statement in FORBIDDEN if is_allowed(app, statement)] == []


def test_every_function_has_a_closed_search_path_and_is_not_public(owner_url: str) -> None:
    """Or it was bound to its names when it was made, and is inlined."""
    functions = rows(
        owner_url,
        "select p.proname, p.proconfig, p.proacl::text as acl, p.prosecdef, p.prosqlbody is not null as bound,"
        " coalesce(pg_get_function_sqlbody(p.oid), p.prosrc) as body"
        " from pg_proc as p where p.pronamespace = 'provider'::regnamespace",
    )
    assert len(functions) == len([file for file in SCHEMA.sql_files() if file.path.startswith("functions/")])
    assert {function["proname"] for function in functions if function["bound"]} == {"clock"}
    for function in functions:
        assert function["bound"] or "search_path=pg_catalog, pg_temp" in function["proconfig"], function
        assert "current_setting" not in function["body"].lower(), "nothing that a caller sets moves the books"
        assert function["prosecdef"] is False
        assert "{=X" not in function["acl"], function
        assert ",=X" not in function["acl"], function


def test_every_table_belongs_to_the_owner_role(owner_url: str) -> None:
    owners = rows(owner_url, "select distinct tableowner from pg_tables where schemaname = 'provider'")
    assert owners == [{"tableowner": "provider_owner"}]
