"""Brings the schema `provider` to the version that this package needs.

Owns roles, schema, migrations and function files, under one lock so that several deployments may run it at once. It
must never run as part of serving: the application's role may not change the schema.
"""

import contextlib
from pathlib import Path
from typing import Any, Final

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config
from psycopg import sql

from provider.sql.files import MIGRATIONS_DIR, apply_changed_functions
from provider.sql.schema import SCHEMA
from shared_service.postgres import sessions as postgres_session

OWNER_ROLE: Final = SCHEMA.owner_role
APP_ROLE: Final = SCHEMA.app_role
OTHER_TABLES: Final = """
    select exists (
        select from pg_class
        where relnamespace = 'provider'::regnamespace and relkind = 'r' and relname <> 'alembic_version'
    )
"""
LOCK_NAME: Final = "provider.migrate"
REVOKE_TRIES: Final = 5
LOCK_WAIT_SECONDS: Final = 120
TABLE_LOCK_WAIT_SECONDS: Final = 5


class MigrationRefused(RuntimeError):  # noqa: N818 - a decision, not a defect
    """The login may not do what a migration needs, or the schema is unknown. The text says what to do, or why."""


def migrate(database_url: str) -> list[str]:
    """Migrate; idempotent. Returns what was done, for a person to read.

    A schema that a newer release made is left as it is, with its functions: it serves this release too.
    """
    opened = _connect(database_url)  # not by SQLAlchemy: it would put what refuses a database into an error of its own
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: opened, poolclass=sqlalchemy.pool.NullPool
    )
    with engine.connect() as bound:
        connection: psycopg.Connection[Any] = bound.connection.driver_connection  # type: ignore[assignment]
        # A session lock: it outlives the transactions below and ends with the connection, also after kill -9.
        connection.execute(sql.SQL("set statement_timeout = {}").format(f"{LOCK_WAIT_SECONDS}s"))
        connection.execute("select pg_advisory_lock(hashtextextended(%s, 0))", (LOCK_NAME,))
        connection.execute("set statement_timeout = 0")
        connection.commit()
        done = _ensure_roles_and_schema(connection)
        done += _forbid_temporary_objects(connection)
        connection.execute(sql.SQL("set role {}").format(sql.Identifier(OWNER_ROLE)))
        connection.execute(sql.SQL("set lock_timeout = {}").format(f"{TABLE_LOCK_WAIT_SECONDS}s"))
        before = _current_version(connection)
        connection.commit()
        if before is not None and before not in SCHEMA.known_revisions():
            return [*done, _newer(before)]
        config = _alembic_config()
        config.attributes["connection"] = bound
        try:
            command.upgrade(config, "head")
        except sqlalchemy.exc.DBAPIError as error:
            raise (error.orig or error) from error
        done += (
            [f"migrated {before or 'nothing'} to {SCHEMA.newest_revision()}"]
            if before != SCHEMA.newest_revision()
            else []
        )
        done += [f"applied {path}" for path in apply_changed_functions(connection)]
        connection.commit()
    return done


def _newer(version: str) -> str:
    if version > SCHEMA.newest_revision():
        return f"the schema is newer ({version}) than this release ({SCHEMA.newest_revision()}); nothing to do"
    raise MigrationRefused(f"the schema is at {version}, which this release ({SCHEMA.newest_revision()}) does not know")


def _connect(database_url: str) -> psycopg.Connection[Any]:
    connection: psycopg.Connection[Any] = postgres_session.connect(
        database_url,
        role=postgres_session.NOBODY,
        application_name="provider-migrate",
        statement_timeout=0,
        lock_timeout=0,
        idle_in_transaction_session_timeout=0,
    )
    connection.autocommit = False
    return connection


def _alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(MIGRATIONS_DIR)).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _ensure_roles_and_schema(connection: psycopg.Connection[Any]) -> list[str]:
    done = []
    for role in (OWNER_ROLE, APP_ROLE):
        if connection.execute("select from pg_roles where rolname = %s", (role,)).fetchone() is None:
            _try(connection, sql.SQL("create role {} nologin").format(sql.Identifier(role)))
            done.append(f"created role {role}")
    member = connection.execute("select pg_has_role(current_user, %s, 'set')", (OWNER_ROLE,)).fetchone()
    if member is None or not member[0]:
        # A login that may create roles is their administrator, not their member.
        try:
            connection.execute(sql.SQL("grant {} to current_user").format(sql.Identifier(OWNER_ROLE)))
        except psycopg.errors.InsufficientPrivilege:
            raise MigrationRefused(str(postgres_session.NeedsOwner(connection.info.user, SCHEMA.name))) from None
    if connection.execute("select from pg_namespace where nspname = 'provider'").fetchone() is None:
        _try(connection, sql.SQL("create schema provider authorization {}").format(sql.Identifier(OWNER_ROLE)))
        done.append("created schema provider")
    connection.commit()
    return done


def _forbid_temporary_objects(connection: psycopg.Connection[Any]) -> list[str]:
    """Whoever makes a type in pg_temp can try to pass it off as one of ours. A restored dump gives the right back."""
    may = "select has_database_privilege(%s, current_database(), 'temporary'), current_database()"
    allowed, database = connection.execute(may, (APP_ROLE,)).fetchone() or (False, "")
    if not allowed:
        connection.commit()
        return []
    revoke = sql.SQL("revoke temporary on database {} from public, {}").format(
        sql.Identifier(database), sql.Identifier(APP_ROLE)
    )
    for _ in range(REVOKE_TRIES):
        # Postgres refuses it to one of two that change a database's rights at once, as both services' migrations do.
        with contextlib.suppress(psycopg.errors.InsufficientPrivilege, psycopg.errors.InternalError_):
            with connection.transaction():
                connection.execute(revoke)
            break
    allowed, _ = connection.execute(may, (APP_ROLE,)).fetchone() or (False, "")
    connection.commit()
    text = revoke.as_string(connection)
    # Our functions do not look there, so this is a second lock, and no reason to stop.
    return (
        [f"the database's owner has to run, once: {text}"] if allowed else ["took the right to temporary objects away"]
    )


def _try(connection: psycopg.Connection[Any], statement: sql.Composed) -> None:
    try:
        with connection.transaction():
            connection.execute(statement)
    except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        # Another database of the same cluster was migrated at the same moment: roles belong to the cluster.
        return
    except psycopg.errors.InsufficientPrivilege as error:
        text = statement.as_string(connection)
        raise MigrationRefused(f"this login may not run `{text}`: an administrator has to, once") from error


def _current_version(connection: psycopg.Connection[Any]) -> str | None:
    if connection.execute("select to_regclass('provider.alembic_version')").fetchone() == (None,):
        return None
    row = connection.execute("select version_num from provider.alembic_version").fetchone()
    if row is None and connection.execute(OTHER_TABLES).fetchone() == (True,):
        raise MigrationRefused(
            "provider.alembic_version has no row, so the schema's revision is not known: write the revision of the"
            " release that served it back as the owner, from a backup"
        )
    return None if row is None else str(row[0])
