"""Brings the schema `casino` to the version of this code: roles, migrations, functions, views, grants.

Owns the order of these steps and the lock around them. It must never run inside the serving process, and never as the
application's role.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from pathlib import Path
from typing import Final

import psycopg
import sqlalchemy
import structlog
from alembic import command
from alembic.config import Config
from psycopg import sql

from casino.sql.schema import SCHEMA
from shared_service.postgres import sessions as postgres_session

log = structlog.get_logger()

OWNER_ROLE: Final = SCHEMA.owner_role
APP_ROLE: Final = SCHEMA.app_role
MIGRATION_LOCK: Final = 0x63617369  # "casi": one migration at a time per database
OTHER_TABLES: Final = """
    select exists (
        select from pg_class
        where relnamespace = 'casino'::regnamespace and relkind = 'r' and relname <> 'alembic_version'
    )
"""
REVOKE_TRIES: Final = 5
LOCK_WAIT_SECONDS: Final = 60
LOCK_LOOK_SECONDS: Final = 0.1


class SchemaUnknown(RuntimeError):  # noqa: N818 - a decision, not a defect
    """The database is at a revision that no release before this one made."""


def migrate(url: str) -> str | None:
    """Bring the database behind `url` up to date; doing it again changes nothing.

    A schema that a newer release made is left as it is, with its functions: it serves this release too. Returns the
    sentence that says so, or None. Raises SchemaUnknown.

    The login needs to be a member of `casino_owner`, or a superuser, or one who may create roles.
    """
    with postgres_session.connect(
        url,
        role=postgres_session.NOBODY,
        application_name="casino-migrate",
        statement_timeout=0,
        lock_timeout=f"{LOCK_WAIT_SECONDS}s",
        idle_in_transaction_session_timeout=0,
    ) as connection:
        _wait_for_other_migrations(connection)
        try:
            _create_roles_and_schema(connection)
        except psycopg.errors.InsufficientPrivilege:
            raise postgres_session.NeedsOwner(connection.info.user, SCHEMA.name) from None
        _forbid_temporary_objects(connection)
        connection.execute(sql.SQL("set role {}").format(sql.Identifier(OWNER_ROLE)))
        if newer := _newer(connection):
            return newer
        _run_migrations(connection)
        _apply_functions_and_views(connection)
        _say_if_a_restore_is_unfinished(connection)
    return None


def _wait_for_other_migrations(connection: psycopg.Connection) -> None:
    """Take the lock. Not by waiting in Postgres: an index that is built concurrently would wait for who waits there."""
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    while connection.execute("select pg_try_advisory_lock(%s)", [MIGRATION_LOCK]).fetchone() != (True,):
        if time.monotonic() > deadline:
            raise psycopg.errors.LockNotAvailable("another migration holds the lock")
        time.sleep(LOCK_LOOK_SECONDS)


def run_sql_beside(revision_file: str) -> None:
    """Run the .sql file that lies beside a revision's .py file, on the migration's connection."""
    from alembic import op  # noqa: PLC0415 - a proxy that is only alive while a migration runs

    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError("a migration needs an open connection")
    connection.execute(Path(revision_file).with_suffix(".sql").read_text("utf-8"))


def _create_roles_and_schema(connection: psycopg.Connection) -> None:
    for role in (OWNER_ROLE, APP_ROLE):
        if connection.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone() is None:
            try:
                connection.execute(sql.SQL("create role {} nologin").format(sql.Identifier(role)))
            except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
                log.info("role_created_by_another", role=role)  # roles are shared by all databases of the server
    if not _may_become_owner(connection):
        connection.execute(sql.SQL("grant {} to current_user").format(sql.Identifier(OWNER_ROLE)))
    if connection.execute("select 1 from pg_namespace where nspname = %s", [SCHEMA.name]).fetchone() is None:
        connection.execute(
            sql.SQL("create schema {} authorization {}").format(sql.Identifier(SCHEMA.name), sql.Identifier(OWNER_ROLE))
        )


def _may_become_owner(connection: psycopg.Connection) -> bool:
    row = connection.execute("select pg_has_role(current_user, %s, 'set')", [OWNER_ROLE]).fetchone()
    return bool(row and row[0])


def _forbid_temporary_objects(connection: psycopg.Connection) -> None:
    """Whoever makes a type in pg_temp can try to pass it off as one of ours. A restored dump gives the right back."""
    may = "select has_database_privilege(%s, current_database(), 'temporary'), current_database()"
    allowed, database = connection.execute(may, [APP_ROLE]).fetchone() or (False, "")
    if not allowed:
        return
    revoke = sql.SQL("revoke temporary on database {} from public, {}").format(
        sql.Identifier(database), sql.Identifier(APP_ROLE)
    )
    for _ in range(REVOKE_TRIES):
        # Postgres refuses it to one of two that change a database's rights at once, as both services' migrations do.
        with contextlib.suppress(psycopg.errors.InsufficientPrivilege, psycopg.errors.InternalError_):
            with connection.transaction():
                connection.execute(revoke)
            break
    allowed, _ = connection.execute(may, [APP_ROLE]).fetchone() or (False, "")
    if allowed:
        # Our functions do not look there, so this is a second lock, and no reason to stop.
        log.warning("temporary_objects_allowed", run_as_the_databases_owner=revoke.as_string(connection))


def _newer(connection: psycopg.Connection) -> str | None:
    if connection.execute("select to_regclass('casino.alembic_version')").fetchone() == (None,):
        return None
    row = connection.execute("select version_num from casino.alembic_version").fetchone()
    if row is None:
        if connection.execute(OTHER_TABLES).fetchone() == (True,):
            raise SchemaUnknown(
                "casino.alembic_version has no row, so the schema's revision is not known: write the revision of the"
                " release that served it back as the owner, from a backup"
            )
        return None
    if row[0] in SCHEMA.known_revisions():
        return None
    if row[0] > SCHEMA.newest_revision():
        return f"the schema is newer ({row[0]}) than this release ({SCHEMA.newest_revision()}); nothing to do"
    raise SchemaUnknown(f"the schema is at {row[0]}, which this release ({SCHEMA.newest_revision()}) does not know")


def _alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCHEMA.folder / "migrations").replace("%", "%%"))
    return config


def _run_migrations(connection: psycopg.Connection) -> None:
    # Its one connection is ours and stays open. It must be given back here: one that is left to the garbage collector
    # is rolled back at any later moment, also in the middle of a statement, which then waits for itself.
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: connection, poolclass=sqlalchemy.StaticPool
    )
    connection.autocommit = False
    config = _alembic_config()
    with engine.connect() as bound:
        config.attributes["connection"] = bound
        try:
            command.upgrade(config, "head")
        except sqlalchemy.exc.DBAPIError as error:
            raise (error.orig or error) from error
        bound.commit()
    connection.autocommit = True


def _apply_functions_and_views(connection: psycopg.Connection) -> None:
    """Apply every function and view again when one of them changed; grants always follow."""
    functions = (SCHEMA.folder / "functions").rglob("*.sql")
    # The rules are bound to the functions that they call, which therefore come first.
    files = sorted(functions, key=lambda path: (path.parent.name == "audit", path))
    files += sorted((SCHEMA.folder / "views").glob("*.sql"))
    files.append(SCHEMA.folder / "grants.sql")
    text = "\n".join(path.read_text("utf-8") for path in files)
    digest = hashlib.sha256(text.encode()).hexdigest()
    with connection.transaction():
        applied = connection.execute("select digest from casino.applied_sql").fetchone()
        if applied == (digest,):
            return
        connection.execute("set local check_function_bodies = off")  # else files need not stand in order of use
        for path in files:
            connection.execute(path.read_text("utf-8"))
        connection.execute("delete from casino.applied_sql")
        connection.execute("insert into casino.applied_sql (digest) values (%s)", [digest])
    log.info("functions_and_views_applied", files=len(files), digest=digest[:12])


def _say_if_a_restore_is_unfinished(connection: psycopg.Connection) -> None:
    for ledger_id, why in connection.execute(
        "select ledger_id, casino.restore_unfinished(ledger_id) from casino.ledgers"
    ):
        if why is not None:
            log.error("restore_unfinished", ledger_id=ledger_id, why=why)
