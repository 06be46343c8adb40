"""Migrations: complete, once, and without failing requests that use the tables."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from local_stack.testing import PostgresServer, create_database, drop_database
from shared_service.postgres import migrate as migrations
from shared_service.postgres.migrate import MigrationRefused, migrate
from shared_service.postgres.schema import Schema

NAME = "orders"
SERVICES_LOCK_TIMEOUT = "2s"
ENV = "from shared_service.postgres.revisions import run_revisions\n\nrun_revisions()\n"
REVISION = """
from shared_service.postgres.revisions import run_sql_beside

revision = {revision!r}
down_revision = {before!r}


def upgrade():
    run_sql_beside(__file__)
"""
TABLES = """
create table orders.applied_sql_files (path text primary key, sha256 text not null);
create table orders.items (item_id bigint);
create table orders.notes (note text);
"""
CLOCK = """
create or replace function orders.clock() returns timestamptz language sql volatile
return pg_catalog.clock_timestamp();
"""


def write_revision(schema: Schema, revision: str, before: str | None, statements: str) -> None:
    versions = schema.folder / "migrations/versions"
    (versions / f"{revision}_words.py").write_text(REVISION.format(revision=revision, before=before))
    (versions / f"{revision}_words.sql").write_text(statements)


@pytest.fixture
def schema(tmp_path: Path) -> Schema:
    """A schema with two tables and a function."""
    made = Schema(NAME, tmp_path / "100% sql")
    for folder in ("migrations/versions", "functions"):
        (made.folder / folder).mkdir(parents=True)
    (made.folder / "migrations/env.py").write_text(ENV)
    (made.folder / "functions/clock.sql").write_text(CLOCK)
    (made.folder / "grants.sql").write_text("grant usage on schema orders to orders_app;")
    write_revision(made, "0001", None, TABLES)
    return made


@pytest.fixture
def url(postgres_server: PostgresServer) -> Iterator[str]:
    """A database with nothing in it."""
    yield create_database(postgres_server, "orders_empty")
    drop_database(postgres_server, "orders_empty")
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute("drop role if exists orders_owner")
        connection.execute("drop role if exists orders_app")


def test_it_says_what_it_did_and_a_second_time_that_there_was_nothing_to_do(schema: Schema, url: str) -> None:
    assert set(migrate(schema, url)) == {
        "created role orders_owner",
        "created role orders_app",
        "created schema orders",
        "took the right to temporary objects away",
        "migrated from an empty database to 0001",
        "applied functions/clock.sql",
        "applied grants.sql",
    }
    assert migrate(schema, url) == []


def test_only_a_text_that_changed_is_told_and_all_are_applied_again(schema: Schema, url: str) -> None:
    migrate(schema, url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(CLOCK.replace("clock_timestamp()", "now()"))
        connection.execute("revoke usage on schema orders from orders_app")
        (schema.folder / "grants.sql").write_text("grant usage on schema orders to orders_app; -- changed")
        assert migrate(schema, url) == ["applied grants.sql"]
        body = connection.execute("select pg_get_function_sqlbody('orders.clock'::regproc)").fetchone()
        may = connection.execute("select has_schema_privilege('orders_app', 'orders', 'usage')").fetchone()
    assert "clock_timestamp" in str(body)
    assert may == (True,)


def test_a_file_that_is_gone_makes_the_others_be_applied_again(schema: Schema, url: str) -> None:
    other = schema.folder / "functions/other.sql"
    other.write_text(CLOCK.replace("clock()", "other()"))
    migrate(schema, url)
    other.unlink()
    with psycopg.connect(url, autocommit=True) as connection:
        assert migrate(schema, url) == []
        paths = connection.execute("select path from orders.applied_sql_files order by path").fetchall()
    assert paths == [("functions/clock.sql",), ("grants.sql",)]


def test_while_a_table_is_in_use_a_migration_waits_and_nobody_fails_for_it(schema: Schema, url: str) -> None:
    """Regression: a migration waited up to a minute for a table, and all requests queued behind it."""
    migrate(schema, url)
    write_revision(schema, "0002", "0001", "alter table orders.items add column amount bigint;")
    done: list[list[str]] = []
    migration = threading.Thread(target=lambda: done.append(migrate(schema, url)))
    with psycopg.connect(url) as reader, psycopg.connect(url, autocommit=True) as request:
        reader.execute("select from orders.items")
        migration.start()
        request.execute(f"set lock_timeout = '{SERVICES_LOCK_TIMEOUT}'")
        for _ in range(2):  # it goes on asking
            wait_for_a_waiter(request)
            request.execute("insert into orders.items (item_id) values (1)")
        assert done == []
        reader.commit()
        migration.join(60)
    assert done == [["migrated 0001 to 0002"]]


def wait_for_a_waiter(connection: psycopg.Connection) -> None:
    """Wait until the migration waits for a lock."""
    waiting = "select count(*) from pg_locks where not granted and locktype = 'relation'"
    while connection.execute(waiting).fetchone() != (1,):
        pass


def test_a_migration_that_finds_no_moment_ends_and_leaves_nothing_half_done(
    schema: Schema, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(schema, url)
    write_revision(
        schema,
        "0002",
        "0001",
        "alter table orders.notes add column at date; alter table orders.items add column a int;",
    )
    monkeypatch.setattr(migrations, "PATIENCE_SECONDS", 0.0)
    with psycopg.connect(url) as reader:
        reader.execute("select from orders.items")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            migrate(schema, url)
        assert reader.execute("select version_num from orders.alembic_version").fetchone() == ("0001",)
        assert reader.execute("select count(*) from pg_attribute where attrelid = 'orders.notes'::regclass"
                              " and attname = 'at'").fetchone() == (0,)  # fmt: skip
    assert migrate(schema, url) == ["migrated 0001 to 0002"]


def test_two_at_once_do_the_work_once(schema: Schema, url: str) -> None:
    done: list[list[str]] = []
    threads = [threading.Thread(target=lambda: done.append(migrate(schema, url))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(bool(each) for each in done) == [False, False, True]


@pytest.mark.parametrize(("revision", "is_newer"), [("0002", True), ("0000", False)])
def test_a_newer_schema_is_left_as_it_is_and_an_unknown_one_is_refused(
    schema: Schema, url: str, revision: str, *, is_newer: bool
) -> None:
    migrate(schema, url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("update orders.alembic_version set version_num = %s", [revision])
        connection.execute("delete from orders.applied_sql_files")
        if is_newer:
            assert [re.findall(r"\d{4}", line) for line in migrate(schema, url)] == [["0002", "0001"]]
        else:
            with pytest.raises(MigrationRefused):
                migrate(schema, url)
        assert connection.execute("select count(*) from orders.applied_sql_files").fetchone() == (0,)


def test_a_schema_without_a_revision_is_refused(schema: Schema, url: str) -> None:
    migrate(schema, url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("delete from orders.alembic_version")
    with pytest.raises(MigrationRefused):
        migrate(schema, url)
