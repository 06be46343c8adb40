"""Brings a service's schema to the revision of this release: roles, migrations, functions, views, grants.

    for line in migrate(SCHEMA, url):
        print(line)

No process that serves loads this module: the application's role may not change the schema.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import psycopg
import sqlalchemy
from alembic import command, context, op
from alembic.config import Config
from psycopg import sql
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random

from shared_service.postgres import sessions
from shared_service.postgres.schema import Schema

PATIENCE_SECONDS: Final = 60.0
"""How long to wait for another migration, and how long to go on asking for tables that are in use."""
TABLE_LOCK_WAIT_MS: Final = 1_000
"""While a migration waits for a table, requests for it wait behind. A service waits two seconds for a lock, so none
fails for a migration that gives up after one."""
PAUSE_SECONDS: Final = (0.5, 1.5)
"""Between two attempts: what waited behind the first goes on."""
LOOK_SECONDS: Final = 0.1
REVOKE_TRIES: Final = 5
IN_USE: Final = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)

T = TypeVar("T")
Connection = psycopg.Connection[Any]


class MigrationRefused(RuntimeError):  # noqa: N818 - a decision, not a defect
    """The login may not do what a migration needs, or the schema is unknown. The text says what to do, or why."""


def migrate(schema: Schema, url: str) -> list[str]:
    """Migrate. Returns what was done, one sentence each, for a person; doing it again does nothing.

    A schema that a newer release made is left as it is, with its functions: it serves this release too.
    The login must be a member of the owner's role, or a superuser, or one who may create roles.
    Raises MigrationRefused, and psycopg.errors.LockNotAvailable when tables were in use all the time.
    """
    with sessions.connect(
        url,
        role=sessions.NOBODY,
        application_name=f"{schema.name}-migrate",
        statement_timeout=0,
        lock_timeout=TABLE_LOCK_WAIT_MS,
        idle_in_transaction_session_timeout=0,
    ) as connection:
        _wait_for_other_migrations(connection, schema)
        done = [*_make_roles_and_schema(connection, schema), *_forbid_temporary_objects(connection, schema)]
        connection.execute(sql.SQL("set role {}").format(sql.Identifier(schema.owner_role)))
        before = _revision(connection, schema)
        if before is not None and before not in schema.known_revisions():
            return [*done, _newer(before, schema)]
        _patiently(lambda: _run_migrations(connection, schema))
        if before != schema.newest_revision():
            done.append(f"migrated {before or 'nothing'} to {schema.newest_revision()}")
        done += _patiently(lambda: _apply_changed_sql(connection, schema))
        left = connection.execute(sql.SQL(schema.left_to_do)).fetchall() if schema.left_to_do else []
        return done + [sentence for (sentence,) in left]


def run_sql_beside(revision_file: str) -> None:
    """Run the .sql file beside a revision's .py file, in the migration's transaction."""
    # Straight to the driver: SQLAlchemy would read colons and percent signs as parameters.
    driver_connection: Any = op.get_bind().connection.driver_connection
    driver_connection.execute(Path(revision_file).with_suffix(".sql").read_bytes())


def run_revisions() -> None:
    """What a service's `migrations/env.py` does: run its revisions on the connection of `migrate`."""
    attributes = context.config.attributes
    context.configure(
        connection=attributes["connection"], version_table_schema=attributes["schema"], transaction_per_migration=False
    )
    with context.begin_transaction():
        context.run_migrations()


def _patiently(step: Callable[[], T]) -> T:
    """Try a step again while tables are in use: it was undone as a whole."""
    retrying = Retrying(
        stop=stop_after_delay(PATIENCE_SECONDS),
        wait=wait_random(*PAUSE_SECONDS),
        retry=retry_if_exception_type(IN_USE),
        reraise=True,
    )
    return retrying(step)


def _wait_for_other_migrations(connection: Connection, schema: Schema) -> None:
    """Take the lock of this schema's migrations, which ends with the connection.

    Not by waiting in Postgres: an index that is built concurrently would wait for who waits there.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    take = "select pg_try_advisory_lock(hashtextextended(%s, 0))"
    while connection.execute(take, (f"{schema.name}.migrate",)).fetchone() != (True,):
        if time.monotonic() > deadline:
            raise psycopg.errors.LockNotAvailable("another migration holds the lock")
        time.sleep(LOOK_SECONDS)


def _make_roles_and_schema(connection: Connection, schema: Schema) -> list[str]:
    done = []
    for role in (schema.owner_role, schema.app_role):
        if connection.execute("select from pg_roles where rolname = %s", (role,)).fetchone() is None:
            _make(connection, sql.SQL("create role {} nologin").format(sql.Identifier(role)))
            done.append(f"created role {role}")
    if connection.execute("select pg_has_role(current_user, %s, 'set')", (schema.owner_role,)).fetchone() != (True,):
        # A login that may create roles is their administrator, not their member.
        try:
            connection.execute(sql.SQL("grant {} to current_user").format(sql.Identifier(schema.owner_role)))
        except psycopg.errors.InsufficientPrivilege:
            raise MigrationRefused(str(sessions.NeedsOwner(connection.info.user, schema.name))) from None
    if connection.execute("select from pg_namespace where nspname = %s", (schema.name,)).fetchone() is None:
        names = map(sql.Identifier, (schema.name, schema.owner_role))
        _make(connection, sql.SQL("create schema {} authorization {}").format(*names))
        done.append(f"created schema {schema.name}")
    return done


def _make(connection: Connection, statement: sql.Composed) -> None:
    try:
        connection.execute(statement)
    except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        return  # roles belong to all databases of a server: another one was migrated at the same moment
    except psycopg.errors.InsufficientPrivilege as error:
        text = statement.as_string(connection)
        raise MigrationRefused(f"this login may not run `{text}`: an administrator has to, once") from error


def _forbid_temporary_objects(connection: Connection, schema: Schema) -> list[str]:
    """Whoever makes a type in pg_temp can try to pass it off as one of ours. A restored dump gives the right back."""
    may = "select has_database_privilege(%s, current_database(), 'temporary'), current_database()"
    allowed, database = connection.execute(may, (schema.app_role,)).fetchone() or (False, "")
    if not allowed:
        return []
    names = map(sql.Identifier, (database, schema.app_role))
    revoke = sql.SQL("revoke temporary on database {} from public, {}").format(*names)
    for _ in range(REVOKE_TRIES):
        # Postgres refuses it to one of two that change a database's rights at once, as two services' migrations do.
        with contextlib.suppress(psycopg.errors.InsufficientPrivilege, psycopg.errors.InternalError_):
            connection.execute(revoke)
            break
    allowed, _ = connection.execute(may, (schema.app_role,)).fetchone() or (False, "")
    # Our functions do not look there, so this is a second lock, and no reason to stop.
    by_hand = f"the database's owner has to run, once: {revoke.as_string(connection)}"
    return [by_hand if allowed else "took the right to temporary objects away"]


def _revision(connection: Connection, schema: Schema) -> str | None:
    """The schema's revision, None before the first one."""
    if connection.execute("select to_regclass(%s)", (f"{schema.name}.alembic_version",)).fetchone() == (None,):
        return None
    name = sql.Identifier(schema.name)
    row = connection.execute(sql.SQL("select version_num from {}.alembic_version").format(name)).fetchone()
    others = """
        select exists (
            select from pg_class
            where relnamespace = %s::regnamespace and relkind = 'r' and relname <> 'alembic_version'
        )
    """
    if row is None and connection.execute(others, (schema.name,)).fetchone() == (True,):
        raise MigrationRefused(
            f"{schema.name}.alembic_version has no row, so the schema's revision is not known: write the revision of"
            " the release that served it back as the owner, from a backup"
        )
    return None if row is None else str(row[0])


def _newer(revision: str, schema: Schema) -> str:
    own = schema.newest_revision()
    if revision > own:
        return f"the schema is newer ({revision}) than this release ({own}); nothing to do"
    raise MigrationRefused(f"the schema is at {revision}, which this release ({own}) does not know")


def _run_migrations(connection: Connection, schema: Schema) -> None:
    # Its one connection is ours and stays open. It must be given back here: one that is left to the garbage collector
    # is rolled back at any later moment, also in the middle of a statement, which then waits for itself.
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: connection, poolclass=sqlalchemy.StaticPool
    )
    config = Config()
    config.set_main_option("script_location", str(schema.folder / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    connection.autocommit = False
    try:
        with engine.connect() as bound:
            config.attributes.update(connection=bound, schema=schema.name)
            command.upgrade(config, "head")
            bound.commit()
    except sqlalchemy.exc.DBAPIError as error:
        raise (error.orig or error) from error
    finally:
        connection.rollback()
        connection.autocommit = True


def _apply_changed_sql(connection: Connection, schema: Schema) -> list[str]:
    """Apply all functions, views and grants again when the text of one is not what was applied last.

    `create or replace` keeps an overload with other arguments alive, so older and newer code can run side by side; a
    migration drops an overload that nobody calls any more.
    """
    table = sql.Identifier(schema.name, "applied_sql_files")
    files = schema.sql_files()
    with connection.transaction():
        applied = dict(connection.execute(sql.SQL("select path, sha256 from {}").format(table)).fetchall())
        if applied == {file.path: file.sha256 for file in files}:
            return []
        connection.execute("set local check_function_bodies = off")  # files need not stand in order of use
        for file in files:
            connection.execute(file.text.encode())
        connection.execute(sql.SQL("delete from {}").format(table))
        insert = sql.SQL("insert into {} (path, sha256) values (%s, %s)").format(table)
        for file in files:
            connection.execute(insert, (file.path, file.sha256))
    return [f"applied {file.path}" for file in files if applied.get(file.path) != file.sha256]
