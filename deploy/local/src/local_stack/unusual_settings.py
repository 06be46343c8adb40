"""Generates the cases of the database matrix: unusual settings of an operator's PostgreSQL server.

Every value differs from the server's default, and a statement could depend on each.
"""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

IS_NIGHTLY: Final = os.environ.get("NIGHTLY") == "1"
SAMPLE: Final = None if IS_NIGHTLY else 2

SETTINGS: Final[dict[str, tuple[str, ...]]] = {
    "default_transaction_isolation": ("serializable", "repeatable read"),
    "default_transaction_deferrable": ("on",),
    "synchronous_commit": ("off", "local", "remote_write", "remote_apply"),
    "client_encoding": ("LATIN1", "SQL_ASCII", "EUC_JP"),
    "client_min_messages": ("error", "debug1"),
    "DateStyle": ("German, DMY", "SQL, MDY", "Postgres, DMY"),
    "IntervalStyle": ("iso_8601", "sql_standard"),
    "TimeZone": ("Asia/Kathmandu", "Pacific/Kiritimati"),
    "bytea_output": ("escape",),
    "extra_float_digits": ("-15", "3"),
    "standard_conforming_strings": ("off",),
    "escape_string_warning": ("off",),
    "backslash_quote": ("off", "on"),
    "array_nulls": ("off",),
    "transform_null_equals": ("on",),
    "quote_all_identifiers": ("on",),
    "xmlbinary": ("hex",),
    "search_path": ("public, pg_catalog", "pg_temp, public", ""),
    "row_security": ("off",),
    "restrict_nonsystem_relation_kind": ("view",),
    "exit_on_error": ("on",),
    "check_function_bodies": ("off",),
    "statement_timeout": ("1ms",),
    "lock_timeout": ("1ms",),
    "transaction_timeout": ("1ms",),
    "idle_in_transaction_session_timeout": ("1ms",),
    "idle_session_timeout": ("1ms",),
    "role": ("none", "other_role"),
    "plan_cache_mode": ("force_custom_plan", "force_generic_plan"),
    "jit": ("on",),
    "jit_above_cost": ("0",),
    "debug_parallel_query": ("on", "regress"),
    "work_mem": ("64kB",),
    "geqo_threshold": ("2",),
    "join_collapse_limit": ("1",),
    "from_collapse_limit": ("1",),
    "cursor_tuple_fraction": ("0",),
    "random_page_cost": ("1000",),
    "default_text_search_config": ("simple",),
    "default_tablespace": ("pg_default",),
    "temp_tablespaces": ("pg_default",),
    "lc_time": ("C",),
    "lc_numeric": ("C",),
    "synchronize_seqscans": ("off",),
    "gin_fuzzy_search_limit": ("1",),
    "password_encryption": ("md5",),
    "createrole_self_grant": ("set",),
    **{
        f"enable_{way}": ("off",)
        for way in (
            *("async_append", "bitmapscan", "gathermerge", "group_by_reordering", "hashagg", "hashjoin"),
            *("incremental_sort", "indexonlyscan", "indexscan", "material", "memoize", "mergejoin", "nestloop"),
            *("parallel_append", "parallel_hash", "partition_pruning", "presorted_aggregate", "seqscan", "sort"),
            *("tidscan",),
        )
    },
}
ODD_NAMES: Final = (
    *("ein 'Zitat' und \"noch eins\"", "back\\slash 100% a=b&c", "プレイヤー"),
    *(("GROSS-geschrieben", "select", "public ish", "none-of-us", "100%", "a=b&c", "x" * 63) if IS_NIGHTLY else ()),
)
"""Login names that need quoting in SQL, in a URL or in a connection string; more of them with NIGHTLY=1."""
SCOPES: Final = ("database", "login", "address")
MUST_HOLD: Final = (
    ("database", "default_transaction_isolation", "serializable"),
    ("database", "client_encoding", "LATIN1"),
    ("database", "client_min_messages", "error"),
    ("login", "role", "other_role"),
    ("login", "transaction_timeout", "1ms"),
    ("login", "idle_session_timeout", "1ms"),
    ("address", "search_path", "pg_temp, public"),
    ("address", "DateStyle", "German, DMY"),
)
"""Cases that once broke a service. They are in every sample."""


@dataclass(frozen=True, slots=True)
class Case:
    """Settings, and their scope: database, login or address."""

    scope: str
    settings: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        """The test id."""
        told = "-".join(f"{name}={value}" for name, value in self.settings) if len(self.settings) == 1 else "all"
        return f"{self.scope}-{told}".replace(" ", "")


def every_case() -> Iterator[Case]:
    """Each value alone in each scope, and one value of every setting together."""
    for scope in SCOPES:
        yield Case(scope, tuple((name, values[0]) for name, values in SETTINGS.items() if name != "role"))
        for name, values in SETTINGS.items():
            for value in values:
                yield Case(scope, ((name, value),))


def cases(sample: int | None = SAMPLE) -> list[Case]:
    """All cases (`sample` None, NIGHTLY=1), or MUST_HOLD and a fixed sample of the others."""
    found = list(every_case())
    if sample is None:
        return found
    must = [Case(scope, ((name, value),)) for scope, name, value in MUST_HOLD]
    must += [case for case in found if len(case.settings) > 1]
    return must + random.Random(8).sample([case for case in found if case not in must], sample)  # noqa: S311 - not a secret


@contextmanager
def made(server_url: str, database_url: str, case: Case, *, name: str, roles: tuple[str, ...]) -> Iterator[str]:
    """Create a login that is a member of these roles, with the settings of a case; yields its URL.

    Existing connections keep their settings.
    """
    login, database = sql.Identifier(name), sql.Identifier(str(conninfo_to_dict(database_url)["dbname"]))
    password = secrets.token_hex(16)
    url = make_conninfo(database_url, user=name, password=password)
    other_role = sql.Identifier(f"other_role_{secrets.token_hex(4)}")
    with psycopg.connect(server_url, autocommit=True) as administrator:
        run = administrator.execute
        run(sql.SQL("create role {}").format(other_role))
        run(sql.SQL("create role {} login noinherit password {}").format(login, sql.Literal(password)))
        for role in (*roles, other_role.as_string().strip('"')):
            run(sql.SQL("grant {} to {}").format(sql.Identifier(role), login))
        run(sql.SQL("grant create on database {} to {}").format(database, login))
        try:
            for setting, value in case.settings:
                chosen = other_role.as_string().strip('"') if value == "other_role" else value
                if case.scope in ("database", "login"):
                    target = sql.SQL("database {}").format(database)
                    target = target if case.scope == "database" else sql.SQL("role {}").format(login)
                    parts = sql.SQL(", ").join(sql.Literal(part) for part in chosen.split(", "))
                    run(sql.SQL("alter {} set {} = {}").format(target, sql.Identifier(setting), parts))
            options = _options(case, other_role.as_string().strip('"'))
            yield make_conninfo(url, options=options) if case.scope == "address" else url
        finally:
            run(sql.SQL("alter database {} reset all").format(database))
            run(sql.SQL("revoke create on database {} from {}").format(database, login))
            run(sql.SQL("drop role {}").format(login))
            run(sql.SQL("drop role {}").format(other_role))


def _options(case: Case, other_role: str) -> str:
    told = [(name, other_role if value == "other_role" else value) for name, value in case.settings]
    return " ".join(f"-c {name}=" + value.replace("\\", "\\\\").replace(" ", "\\ ") for name, value in told)
