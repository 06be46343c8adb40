"""Opens connections to Postgres with fixed session settings, and refuses a server or login that cannot be used.

The settings here are those that statements depend on. They override the database's, the login's and the address's;
host_variables removes the environment's. Settings that change no result (memory, logging) are the operator's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from shared_service.postgres.outage import why_away
from shared_service.settings.values import owner_advice

SERVER_VERSION_MIN: Final = 17_00_00
NO_ROLE: Final = "none"
"""The role of a connection that keeps its login's own rights."""

SESSION: Final[Mapping[str, str]] = {
    "search_path": "pg_catalog,pg_temp",
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    # Durable. With remote_apply every commit would also wait until a standby has applied it, which nothing needs.
    "synchronous_commit": "on",
    # Only a warning reports a commit whose wait for the standby was cancelled.
    "client_min_messages": "notice",
    # How values are written and read.
    "timezone": "UTC",
    "datestyle": "ISO",
    "intervalstyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "standard_conforming_strings": "on",
    "array_nulls": "on",
    "transform_null_equals": "off",
    "xmlbinary": "base64",
    "quote_all_identifiers": "off",
    # These could end a connection or hide rows.
    "transaction_timeout": "0",
    "idle_session_timeout": "0",
    "exit_on_error": "off",
    "max_parallel_workers_per_gather": "0",  # a parallel worker would have the login's own time-outs
    "row_security": "on",
    "restrict_nonsystem_relation_kind": "",
    # Functions depend on these plans: they switch the other ones off.
    "plan_cache_mode": "auto",
    "enable_indexscan": "on",
    "enable_nestloop": "on",
    "enable_tidscan": "on",
    "jit": "off",
    # For the tables that a migration creates.
    "default_table_access_method": "heap",
}
FACTS: Final = """
    select
        pg_catalog.current_setting('session_replication_role'),
        pg_catalog.current_setting('default_transaction_read_only'),
        pg_catalog.pg_is_in_recovery(), current_user, pg_catalog.current_database(),
        coalesce(
            (select pg_catalog.pg_has_role(current_user, oid, 'set') from pg_catalog.pg_roles where rolname = %s), true
        ),
        exists (
            select from pg_catalog.pg_class join pg_catalog.pg_namespace on pg_namespace.oid = relnamespace
            where nspname = %s and relname = 'alembic_version'
        )
"""

NOT_MIGRATED: Final = (
    psycopg.errors.UndefinedFunction,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.InvalidSchemaName,
)


class DatabaseUnfit(psycopg.OperationalError):
    """The database cannot be used with any session settings. The text says what to change, without the address."""


class NotMigrated(DatabaseUnfit):
    """The schema is not in this database."""


class NeedsOwner(psycopg.errors.InsufficientPrivilege):
    """The command needs the schema's owner, and the login may not become the owner."""

    def __init__(self, login: str, service: str) -> None:
        super().__init__(
            f"the login {login} may not become {service}_owner, nor make it: {owner_advice(service)}; on a new server"
            " an administrator has to, once, make the roles"
        )


class CannotConnect(psycopg.OperationalError):
    """The server does not answer, or refuses the login. The text does not quote the driver's message."""


def arguments(url: str, *, role: str, application_name: str, **settings: object) -> dict[str, Any]:
    """Returns the driver's arguments beside the address. `settings` are added to `SESSION`."""
    asked = conninfo_to_dict(url).get("options")
    own = {"role": role, **SESSION, **{name: str(value) for name, value in settings.items()}}
    options = " ".join(f"-c {name}={_escaped(value)}" for name, value in own.items())
    return {
        "application_name": application_name,
        "client_encoding": "utf8",
        "options": f"{asked} {options}" if asked else options,  # the last value of a setting counts
        "replication": "false",
    }


def connect(
    url: str,
    *,
    role: str,
    application_name: str,
    connect_timeout: int = 10,
    migrated: bool = False,
    **settings: object,
) -> Any:
    """Opens a connection in autocommit for a command. `application_name` is `<service>-<command>`.

    `migrated` also refuses a database without the schema. Raises DatabaseUnfit and CannotConnect.
    """
    unfit = _unfit(url, role=role, application_name=application_name, connect_timeout=connect_timeout)
    if unfit is not None and (migrated or not isinstance(unfit, NotMigrated)):
        raise unfit
    given = arguments(url, role=role, application_name=application_name, **settings)
    try:
        return psycopg.connect(url, autocommit=True, connect_timeout=connect_timeout, **given)
    except psycopg.OperationalError as error:
        whom = "cannot connect" if role == NO_ROLE else f"cannot connect as {role}"
        variable = variable_of(role, _service(application_name))
        raise CannotConnect(f"{whom}: {why_away(str(error)) or type(error).__name__}; look at {variable}") from None


def why_unfit(
    url: str, *, role: str, application_name: str, connect_timeout: int = 2, migrated: bool = False
) -> str | None:
    """Returns why this database can never be used as it is, or None.

    Also None if it does not answer or refuses the login: it may be starting. A missing schema is a reason only if
    `migrated`.
    """
    unfit = _unfit(url, role=role, application_name=application_name, connect_timeout=connect_timeout)
    return None if unfit is None or (isinstance(unfit, NotMigrated) and not migrated) else str(unfit)


def why_away_now(url: str, *, role: str, application_name: str, connect_timeout: int = 2) -> str | None:
    """Returns why no connection can be made now, or None when one can."""
    try:
        connect(url, role=role, application_name=application_name, connect_timeout=connect_timeout).close()
    except (DatabaseUnfit, CannotConnect) as error:
        return str(error)
    return None


def sentence(error: psycopg.Error, *, service: str) -> str:
    """Returns a sentence about a database error for a person, without the driver's message and the address in it."""
    kind = type(error).__name__
    if isinstance(error, (DatabaseUnfit, CannotConnect, NeedsOwner)):
        return str(error)
    if isinstance(error, NOT_MIGRATED):
        return f"the schema is not there, or older than this program ({kind}): run `{service} migrate`"
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return f"the login may not do this ({kind}): run `{service} migrate`, or {owner_advice(service)}"
    if error.sqlstate is None:
        return f"the database does not answer: {why_away(str(error)) or kind}; run it again when it does"
    # The server's message, in one line. It holds no address.
    said = " ".join((error.diag.message_primary or "").split())
    return f"the database refused it ({kind} {error.sqlstate}): {said}"


def _unfit(url: str, *, role: str, application_name: str, connect_timeout: int) -> DatabaseUnfit | None:
    # As the login itself, with settings that every version of Postgres knows.
    given = arguments(url, role=NO_ROLE, application_name=application_name)
    given["options"] = "-c role=none -c search_path=pg_catalog -c statement_timeout=10s"
    asked = conninfo_to_dict(url).get("options")
    if asked:
        given["options"] = f"{asked} {given['options']}"
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=connect_timeout, **given) as connection:
            why = unfit_server(connection.info)
            return DatabaseUnfit(why) if why else _unfit_login(connection, role, _service(application_name))
    except psycopg.Error:
        return None


def unfit_server(info: psycopg.ConnectionInfo) -> str | None:
    """Returns why this server cannot be used, by its version and encoding, or None. Costs no round trip."""
    if info.server_version < SERVER_VERSION_MIN:
        version = info.parameter_status("server_version")
        return f"the database's server is Postgres {version}; 17 or newer is needed: upgrade it"
    encoding = info.parameter_status("server_encoding")
    if encoding != "UTF8":
        return (
            f"the database {info.dbname} is encoded in {encoding}, which cannot hold every text: make one with"
            " `create database … encoding 'UTF8' template template0` and use that"
        )
    return None


def _unfit_login(connection: psycopg.Connection[Any], role: str, service: str) -> DatabaseUnfit | None:
    row = connection.execute(FACTS, (None if role == NO_ROLE else role, service)).fetchone()
    assert row is not None  # noqa: S101 - a select without a table
    replication_role, read_only, is_standby, login, database, may_become, is_migrated = row
    if not may_become and role == f"{service}_owner":
        return DatabaseUnfit(f"the login {login} may not become {role}: {owner_advice(service)}")
    if not may_become:
        return DatabaseUnfit(
            f'the login {login} may not become {role}: run `grant {role} to "{login}"` as an administrator'
        )
    if replication_role != "origin":
        return DatabaseUnfit(
            f"session_replication_role is {replication_role} for the login {login}, which switches foreign keys off:"
            " reset it (`alter role … reset session_replication_role`, or of the database)"
        )
    if read_only == "on" and not is_standby:
        return DatabaseUnfit(
            f"default_transaction_read_only is on for the login {login} in the database {database}: reset it"
            " (`alter database … reset default_transaction_read_only`, or of the role)"
        )
    if not is_migrated:
        return NotMigrated(f"the database {database} has no schema {service}: run `{service} migrate`")
    return None


def _service(application_name: str) -> str:
    return application_name.partition("-")[0]


def variable_of(role: str, service: str) -> str:
    """Returns the name of the variable that holds the address for a connection in this role."""
    kind = role.removeprefix(f"{service}_")
    kinds = {"app": "", "oversight": "OVERSIGHT_"}
    return f"{service.upper()}_{kinds.get(kind, 'OWNER_')}DATABASE_URL"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")
