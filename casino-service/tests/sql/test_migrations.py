"""The way to the newest schema: from nothing, again, two at once, as whom, and what is applied anew."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import sql

from casino.ops.demo import seed_demo
from casino.sql.schema import SCHEMA
from local_stack.testing import PostgresServer, create_database, drop_database
from shared_service.postgres.migrate import MigrationRefused, migrate

TAMPER = """
    create or replace function casino.clock() returns timestamptz language sql volatile parallel safe
    set search_path = pg_catalog, pg_temp as $$ select '2000-01-01'::timestamptz $$
"""


@pytest.fixture
def empty_database(postgres_server: PostgresServer) -> Iterator[str]:
    """A database with nothing in it."""
    name = f"casino_empty_{uuid.uuid4().hex}"
    yield create_database(postgres_server, name)
    drop_database(postgres_server, name)


def ask(url: str, question: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(question).fetchall()  # type: ignore[call-overload, no-any-return]


def schema_as_it_stands(url: str) -> list[tuple[Any, ...]]:
    """Every object of the schema with the database transaction that wrote it last: equal when nothing was touched."""
    return ask(
        url,
        "select 'relation', relname, xmin::text from pg_class where relnamespace = 'casino'::regnamespace"
        " union all select 'function', proname, xmin::text from pg_proc where pronamespace = 'casino'::regnamespace"
        " union all select 'revision', version_num, xmin::text from casino.alembic_version order by 1, 2, 3",
    )


def test_an_empty_database_is_brought_to_the_newest_revision(empty_database: str) -> None:
    migrate(SCHEMA, empty_database)
    assert ask(empty_database, "select version_num from casino.alembic_version") == [(SCHEMA.newest_revision(),)]
    assert ask(empty_database, "select count(*) from casino.ledger_differences") == [(0,)]
    assert ask(empty_database, "select count(*) from casino.wallets") == [(0,)]


def test_migrating_again_changes_nothing(empty_database: str) -> None:
    migrate(SCHEMA, empty_database)
    before = schema_as_it_stands(empty_database)
    migrate(SCHEMA, empty_database)
    assert schema_as_it_stands(empty_database) == before


def test_the_revision_that_the_code_expects_is_the_migration_librarys_head() -> None:
    config = Config()
    config.set_main_option("script_location", str(SCHEMA.folder / "migrations"))
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_heads() == [SCHEMA.newest_revision()]
    revisions = [script.revision for script in scripts.walk_revisions()]
    assert revisions == sorted(revisions, reverse=True), "readiness compares them as text"


def test_every_revision_lies_beside_its_sql() -> None:
    folder = SCHEMA.folder / "migrations" / "versions"
    names = {path.stem for path in folder.glob("*.py")}
    assert names == {path.stem for path in folder.glob("*.sql")}
    assert names


def test_two_migrations_at_once_wait_for_each_other(empty_database: str) -> None:
    environment = {**os.environ, "CASINO_OWNER_DATABASE_URL": empty_database, "LOG_FORMAT": "json"}
    command = [sys.executable, "-m", "casino", "migrate"]
    started = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(2)
    ]
    ended = [(process.communicate(timeout=60)[0].decode(), process.returncode) for process in started]
    assert [code for _, code in ended] == [0, 0], ended
    assert sum(SCHEMA.newest_revision() in output for output, _ in ended) == 1, "one of them found nothing to do"
    assert ask(empty_database, "select version_num from casino.alembic_version") == [(SCHEMA.newest_revision(),)]


@pytest.mark.parametrize("taken", range(1, len(SCHEMA.last_steps)))
def test_the_last_steps_may_be_interrupted_and_begun_again(empty_database: str, taken: int) -> None:
    """A release whose migration ended after some of them: the next run takes those that are left."""
    migrate(replace(SCHEMA, last_steps=SCHEMA.last_steps[:taken]), empty_database)
    done = migrate(SCHEMA, empty_database)
    assert done == [step.name for step in SCHEMA.last_steps[taken:]]
    assert migrate(SCHEMA, empty_database) == []


def test_an_index_that_was_not_finished_is_built_again(empty_database: str) -> None:
    migrate(replace(SCHEMA, last_steps=()), empty_database)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("create index transactions_of_provider on casino.transactions (tenant_id)")
        connection.execute(
            "update pg_index set indisvalid = false where indexrelid = 'casino.transactions_of_provider'::regclass"
        )
    migrate(SCHEMA, empty_database)
    assert ask(empty_database, "select count(*) from pg_index where not indisvalid") == [(0,)]


def test_functions_are_applied_again_when_their_files_changed_and_only_then(own_database: str) -> None:
    with psycopg.connect(own_database, autocommit=True) as connection:
        connection.execute(TAMPER)
    migrate(SCHEMA, own_database)
    assert ask(own_database, "select casino.clock()::date::text") == [("2000-01-01",)], "the files did not change"
    with psycopg.connect(own_database, autocommit=True) as connection:
        connection.execute("update casino.applied_sql_files set sha256 = 'of an older release'")
    migrate(SCHEMA, own_database)
    assert ask(own_database, "select casino.clock() between now() - interval '1 minute' and clock_timestamp()") == [
        (True,)
    ]


def test_demo_data_is_loaded_once_and_never_changed(own_database: str) -> None:
    count = "select count(*), sum(balance_minor) from casino.wallets"
    assert ask(own_database, count) == [(2, 2_000_000)]
    with psycopg.connect(own_database, autocommit=True) as connection:
        connection.execute("update casino.games set stake_max_minor = 5000 where game_id = '1'")
    seed_demo(own_database)
    assert ask(own_database, count) == [(2, 2_000_000)]
    assert ask(own_database, "select stake_max_minor from casino.games where game_id = '1'") == [(5000,)]
    assert ask(own_database, "select count(*) from casino.ledger_differences") == [(0,)]


def test_everything_belongs_to_the_owners_role_but_functions_with_rights_of_their_own(shared_database: str) -> None:
    assert ask(
        shared_database,
        "select distinct pg_get_userbyid(relowner) from pg_class where relnamespace = 'casino'::regnamespace"
        " union select pg_get_userbyid(proowner) from pg_proc where pronamespace = 'casino'::regnamespace"
        " and not prosecdef union select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'casino'",
    ) == [("casino_owner",)]
    definers = "select distinct pg_get_userbyid(proowner) from pg_proc where pronamespace = 'casino'::regnamespace"
    attaches_partitions = "proname = 'make_event_months'"
    assert ask(shared_database, f"{definers} and prosecdef and not {attaches_partitions}") == [("casino_ledger",)]
    assert ask(shared_database, f"{definers} and {attaches_partitions}") == [("casino_owner",)]


@pytest.fixture
def plain_login(postgres_server: PostgresServer, casino_template: str) -> Iterator[str]:
    """A login without any right of its own; the roles are there already, as the template made them."""
    name = f"casino_deployer_{uuid.uuid4().hex[:8]}"
    password = postgres_server.passwords.of(name)
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        statement = sql.SQL("create role {} login nosuperuser nocreaterole password {}")
        connection.execute(statement.format(sql.Identifier(name), sql.Literal(password)))
        yield name
        connection.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


def test_a_plain_login_that_is_a_member_of_the_owners_role_can_migrate(
    postgres_server: PostgresServer, plain_login: str
) -> None:
    name = f"casino_of_{plain_login}"
    url = create_database(postgres_server, name)
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(sql.SQL("grant casino_owner to {}").format(sql.Identifier(plain_login)))
            connection.execute(
                sql.SQL("grant create on database {} to {}").format(sql.Identifier(name), sql.Identifier(plain_login))
            )
        own_url = postgres_server.url(name, user=plain_login)
        migrate(SCHEMA, own_url)
        migrate(SCHEMA, own_url)
        seed_demo(own_url)
        assert ask(url, "select version_num from casino.alembic_version") == [(SCHEMA.newest_revision(),)]
        assert ask(url, "select distinct pg_get_userbyid(relowner) from pg_class"
                        " where relnamespace = 'casino'::regnamespace") == [("casino_owner",)]  # fmt: skip
    finally:
        drop_database(postgres_server, name)


def test_a_login_that_may_not_make_the_functions_role_is_told_what_an_administrator_runs(
    postgres_server: PostgresServer, plain_login: str, own_database: str
) -> None:
    """As at the upgrade from a release that had no such role."""
    role = f"functions_of_{plain_login}"
    schema = replace(SCHEMA, definer_role=role)
    url = postgres_server.url(str(psycopg.conninfo.conninfo_to_dict(own_database)["dbname"]), user=plain_login)
    with psycopg.connect(own_database, autocommit=True) as administrator:
        administrator.execute(sql.SQL("grant casino_owner to {}").format(sql.Identifier(plain_login)))
        statements = []
        for _ in range(2):
            with pytest.raises(MigrationRefused, match="an administrator has to, once") as refused:
                migrate(schema, url)
            statements.append(str(refused.value).split("`")[1])
            administrator.execute(statements[-1].encode())
        assert statements == [
            f'create role "{role}" nologin', f'grant "{role}" to "casino_owner" with inherit true, set true',
        ]  # fmt: skip
        migrate(schema, url)
        administrator.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))


def test_a_login_that_may_not_become_the_owner_changes_nothing(
    postgres_server: PostgresServer, plain_login: str, own_database: str
) -> None:
    before = schema_as_it_stands(own_database)
    database = str(psycopg.conninfo.conninfo_to_dict(own_database)["dbname"])
    with pytest.raises(MigrationRefused):
        migrate(SCHEMA, postgres_server.url(database, user=plain_login))
    assert schema_as_it_stands(own_database) == before


def test_a_migration_survives_a_garbage_collector_that_runs_all_the_time(empty_database: str) -> None:
    """A connection left to the collector was once rolled back in the middle of a statement, which waited for itself."""
    thresholds = gc.get_threshold()
    gc.set_threshold(1)
    try:
        migrate(SCHEMA, empty_database)
    finally:
        gc.set_threshold(*thresholds)
    assert ask(empty_database, "select version_num from casino.alembic_version") == [(SCHEMA.newest_revision(),)]
