"""Brings a service's schema to the revision of this release: roles, migrations, functions, views, grants.

Serving processes do not use this module: the application's role may not change the schema.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config
from psycopg import sql
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random

from shared_service.postgres import sessions
from shared_service.postgres.schema import LastStep, Schema

PATIENCE_SECONDS: Final = 60.0
"""How long to wait for another migration, and how long to retry while tables are in use."""
TABLE_LOCK_WAIT_MS: Final = 1_000
"""Requests for a table wait behind a migration that waits for it, and fail after two seconds: it gives up before."""
PAUSE_SECONDS: Final = (0.5, 1.5)
"""Between two attempts, so that the requests that waited can run."""
LOOK_SECONDS: Final = 0.1
REVOKE_TRIES: Final = 5
IN_USE: Final = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)

T = TypeVar("T")
Connection = psycopg.Connection[Any]


class MigrationRefused(RuntimeError):  # noqa: N818 - a decision, not a defect
    """The login has too few rights, or the schema's revision is unknown. The text says what to do."""


def migrate(schema: Schema, url: str) -> list[str]:
    """Migrate the schema. Returns a sentence for each thing that was done. May be repeated.

    The schema of a newer release is not changed, because this release can use it too. The login must be a member of the
    owner's role, a superuser, or allowed to create roles. Raises MigrationRefused, and LockNotAvailable (psycopg) when
    tables were in use all the time.
    """
    with sessions.connect(
        url,
        role=sessions.NO_ROLE,
        application_name=f"{schema.name}-migrate",
        statement_timeout=0,
        lock_timeout=TABLE_LOCK_WAIT_MS,
        idle_in_transaction_session_timeout=0,
    ) as connection:
        _wait_for_other_migrations(connection, schema)
        done = _make_roles_and_schema(connection, schema)
        done += _retry_while_in_use(lambda: _forbid_temporary_objects(connection, schema))
        connection.execute(sql.SQL("set role {}").format(sql.Identifier(schema.owner_role)))
        before = _revision(connection, schema)
        if before is not None and before not in schema.known_revisions():
            return [*done, _newer(before, schema)]
        _retry_while_in_use(lambda: _run_migrations(connection, schema))
        if before != schema.newest_revision():
            done.append(f"migrated {before or 'from an empty database'} to {schema.newest_revision()}")
        done += _retry_while_in_use(lambda: _apply_changed_sql(connection, schema))
        for step in schema.last_steps:
            done += _retry_while_in_use(partial(_take, connection, step))
        left = connection.execute(sql.SQL(schema.left_to_do)).fetchall() if schema.left_to_do else []
        return done + [sentence for (sentence,) in left]


def _retry_while_in_use(step: Callable[[], T]) -> T:
    """Retry a step while tables are in use. A failed step was rolled back completely."""
    retrying = Retrying(
        stop=stop_after_delay(PATIENCE_SECONDS),
        wait=wait_random(*PAUSE_SECONDS),
        retry=retry_if_exception_type(IN_USE),
        reraise=True,
    )
    return retrying(step)


def _wait_for_other_migrations(connection: Connection, schema: Schema) -> None:
    """Take the lock of this schema's migrations, until the connection closes.

    It polls, because `create index concurrently` in the other migration would wait for a transaction that waits here.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    take = "select pg_try_advisory_lock(hashtextextended(%s, 0))"
    while connection.execute(take, (f"{schema.name}.migrate",)).fetchone() != (True,):
        if time.monotonic() > deadline:
            raise psycopg.errors.LockNotAvailable("another migration holds the lock")
        time.sleep(LOOK_SECONDS)


def _make_roles_and_schema(connection: Connection, schema: Schema) -> list[str]:
    done = []
    for role in filter(None, (schema.owner_role, schema.app_role, schema.definer_role, *schema.further_roles)):
        if connection.execute("select from pg_roles where rolname = %s", (role,)).fetchone() is None:
            _make(connection, sql.SQL("create role {} nologin").format(sql.Identifier(role)))
            done.append(f"created role {role}")
    if connection.execute("select pg_has_role(current_user, %s, 'set')", (schema.owner_role,)).fetchone() != (True,):
        # A login that created the role may administer it, but is not yet a member.
        try:
            connection.execute(sql.SQL("grant {} to current_user").format(sql.Identifier(schema.owner_role)))
        except psycopg.errors.InsufficientPrivilege:
            raise MigrationRefused(str(sessions.NeedsOwner(connection.info.user, schema.name))) from None
    done += _join_definer_role(connection, schema)
    if connection.execute("select from pg_namespace where nspname = %s", (schema.name,)).fetchone() is None:
        names = map(sql.Identifier, (schema.name, schema.owner_role))
        _make(connection, sql.SQL("create schema {} authorization {}").format(*names))
        done.append(f"created schema {schema.name}")
    return done


def _join_definer_role(connection: Connection, schema: Schema) -> list[str]:
    """Make the owner's role a member of the definer's, whose functions it replaces."""
    if schema.definer_role is None:
        return []
    names = (schema.owner_role, schema.definer_role)
    if connection.execute("select pg_has_role(%s, %s, 'usage')", names).fetchone() == (True,):
        return []
    _make(connection, sql.SQL("grant {1} to {0} with inherit true, set true").format(*map(sql.Identifier, names)))
    return [f"made {schema.owner_role} a member of {schema.definer_role}"]


def _make(connection: Connection, statement: sql.Composed) -> None:
    try:
        connection.execute(statement)
    except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        return  # roles are shared by all databases: another migration made it at the same moment
    except psycopg.errors.InsufficientPrivilege as error:
        told = f"this login may not run `{statement.as_string(connection)}`: an administrator has to, once"
        raise MigrationRefused(told) from error


def _forbid_temporary_objects(connection: Connection, schema: Schema) -> list[str]:
    """Revoke the right to temporary objects: a type in pg_temp could replace one of ours. A restore grants it again."""
    may = "select has_database_privilege(%s, current_database(), 'temporary'), current_database()"
    allowed, database = connection.execute(may, (schema.app_role,)).fetchone() or (False, "")
    if not allowed:
        return []
    names = map(sql.Identifier, (database, schema.app_role))
    revoke = sql.SQL("revoke temporary on database {} from public, {}").format(*names)
    for _ in range(REVOKE_TRIES):
        # Fails when another service's migration changes the database's rights at the same moment.
        with contextlib.suppress(psycopg.errors.InsufficientPrivilege, psycopg.errors.InternalError_):
            connection.execute(revoke)
            break
    allowed, _ = connection.execute(may, (schema.app_role,)).fetchone() or (False, "")
    # Our functions do not use pg_temp anyway, so a failure here does not stop the migration.
    by_hand = f"the database's owner has to run, once: {revoke.as_string(connection)}"
    return [by_hand if allowed else "took the right to temporary objects away"]


def _revision(connection: Connection, schema: Schema) -> str | None:
    """Returns the schema's revision, or None before the first migration."""
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
    # The engine's only connection is ours and stays open. It must be returned here: the garbage collector would roll
    # it back at any later moment, also during a statement.
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
    """Apply all functions, views and grants again when the text of one of them has changed.

    `create or replace` keeps overloads with other arguments: an older release can still call them.
    """
    table = sql.Identifier(schema.name, "applied_sql_files")
    files = schema.sql_files()
    with connection.transaction():
        applied = dict(connection.execute(sql.SQL("select path, sha256 from {}").format(table)).fetchall())
        if applied == {file.path: file.sha256 for file in files}:
            return []
        connection.execute("set local check_function_bodies = off")  # so that files may be applied in any order
        for file in files:
            connection.execute(file.text.encode())
        connection.execute(sql.SQL("delete from {}").format(table))
        insert = sql.SQL("insert into {} (path, sha256) values (%s, %s)").format(table)
        for file in files:
            connection.execute(insert, (file.path, file.sha256))
    return [f"applied {file.path}" for file in files if applied.get(file.path) != file.sha256]


def _take(connection: Connection, step: LastStep) -> list[str]:
    """Take a step unless it was taken before."""
    if connection.execute(step.done.encode()).fetchone() == (True,):
        return []
    with connection.transaction() if step.in_one_transaction else contextlib.nullcontext():
        for statement in step.statements:
            connection.execute(statement.encode())
    return [step.name]
