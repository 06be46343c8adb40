"""Creates the stack's databases in the embedded cluster: one schema and two logins for each service.

A service's login may take only its application role, its migrator only the owner role of its schema; a third login of
the casino is for its owners. No login can see
the other service's schema, or the database of another pair. The services' migrations create the tables.
"""

from dataclasses import dataclass

import psycopg
from psycopg import sql

from local_stack.cluster import SUPERUSER, DataLostError
from local_stack.postgres import Postgres

DATABASE = "stack"
DEFINER_ROLES = {"casino": ("casino_ledger",)}
"""Roles without a login that own functions. The owner's role is a member of them."""
OVERSIGHT_ROLES = {"casino": "casino_oversight"}
"""Roles that see every tenant. Each has a login."""


@dataclass(frozen=True, slots=True)
class ServiceUrls:
    """The database URLs of one service: for serving, for migrating, and for those who see every tenant."""

    database_url: str
    owner_database_url: str
    oversight_database_url: str | None = None


def prepare_database(server: Postgres, services: tuple[str, ...], *, pair: int = 1) -> dict[str, ServiceUrls]:
    """Create what is missing, and set the passwords of all logins to those in the state folder.

    The first pair has the database `stack` and logins such as casino_login, the second `stack_2` and casino_2_login.

    Raises DataLostError when the superuser's password in the state folder is wrong.
    """
    suffix = "" if pair == 1 else f"_{pair}"
    database = DATABASE + suffix
    try:
        _make_database(server, database)
    except psycopg.OperationalError as error:
        if "password authentication failed" not in str(error):
            raise
        raise DataLostError(
            f"the database of this stack has another password than {server.passwords.file(SUPERUSER)}: "
            f"put the right one back, or remove {server.state_dir} for a new database"
        ) from None
    with psycopg.connect(server.url(database)) as connection:
        connection.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(database)))
        connection.execute("revoke all on schema public from public")
        return {service: _prepare_service(connection, server, service, suffix=suffix) for service in services}


def _make_database(server: Postgres, database: str) -> None:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        if connection.execute("select from pg_database where datname = %s", (database,)).fetchone() is None:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(database)))


def _prepare_service(connection: psycopg.Connection, server: Postgres, service: str, *, suffix: str) -> ServiceUrls:
    """The roles are those of every database of the cluster; the logins are this pair's own."""
    owner, app, database = f"{service}_owner", f"{service}_app", DATABASE + suffix
    migrator, login = f"{service}{suffix}_migrator", f"{service}{suffix}_login"
    for role in (owner, app, *DEFINER_ROLES.get(service, ())):
        _ensure_role(connection, role)
    for role in DEFINER_ROLES.get(service, ()):
        connection.execute(sql.SQL("grant {} to {}").format(sql.Identifier(role), sql.Identifier(owner)))
    logins = {migrator: owner, login: app}
    overseer = f"{service}{suffix}_oversight_login"
    if service in OVERSIGHT_ROLES:
        _ensure_role(connection, OVERSIGHT_ROLES[service])
        logins[overseer] = OVERSIGHT_ROLES[service]
    for user, may_become in logins.items():
        _ensure_role(connection, user)
        statement = sql.SQL("alter role {} login noinherit password {}")
        connection.execute(statement.format(sql.Identifier(user), sql.Literal(server.passwords.of(user))))
        connection.execute(sql.SQL("grant {} to {}").format(sql.Identifier(may_become), sql.Identifier(user)))
        statement = sql.SQL("grant connect on database {} to {}")
        connection.execute(statement.format(sql.Identifier(database), sql.Identifier(user)))
    statement = sql.SQL("create schema if not exists {} authorization {}")
    connection.execute(statement.format(sql.Identifier(service), sql.Identifier(owner)))
    oversight_url = server.url(database, overseer) if overseer in logins else None
    return ServiceUrls(server.url(database, login), server.url(database, migrator), oversight_url)


def _ensure_role(connection: psycopg.Connection, role: str) -> None:
    if connection.execute("select from pg_roles where rolname = %s", (role,)).fetchone() is None:
        connection.execute(sql.SQL("create role {} nologin").format(sql.Identifier(role)))
