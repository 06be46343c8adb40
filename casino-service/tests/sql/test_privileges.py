"""What the application's role may do, asked of the catalogue and tried for real: it reads, and calls what decides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from casino_testing.platform_functions import DEFINERS, HELPERS
from casino_testing.tenant import Tenant
from casino_testing.wallet import Wallet

RELATIONS = """
    select relname, relkind from pg_class
    where relnamespace = 'casino'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'S')
"""
CALLABLE = {
    *("clock", "feed_position", "feed_horizon", "execute_wallet_commands", "get_balances", "open_session"),
    *("read_balances", "take_games", "provider_of_session", "note_provider_games"),
    *(
        "close_expired_sessions",
        "entry_hash",
        "entry_hash_2",
        "entry_details",
        "head",
        "action_id",
        "is_remembered",
        "wallet_differences",
        "ledger_wide_differences",
        "differences_of_bonuses",
        "differences_of_vouchers",
    ),
    *("bind_provider_session", "close_session", "take_nonces", "claim_nonces", "empty_old_nonce_drawer"),
    *("restore_unfinished", "count_unsigned", "feed_page", "find_transaction", "find_tombstone"),
    *("see_tenant", "is_known", "count_client_call", "make_event_months"),
    *("event_months", "event_months_missing"),
    *("tell_errors", "fold_sessions"),
    *("enter_session", "check_access_token", "take_client_token", "prune_client_limits"),
    *("try_voucher", "redeem_voucher", "expire_vouchers"),
    *("claim_deliveries", "finish_delivery", "overdue_deliveries", "forget_webhook_events", "ended_webhooks"),
    *(HELPERS | DEFINERS),
}
NO_TENANT_BECAUSE = {
    "alembic_version": "tells of the schema, not of anybody",
    "applied_sql_files": "tells of the schema, not of anybody",
    "accounts": "accounts that every tenant has",
    "entry_kinds": "the rules of each kind of entry, the same for every tenant",
    "import_lines": "lines of a file while a command of the owner imports it, which nobody else reads",
    "session_folds": "how far a loop got",
    "audit_trail": "a refused login of no known name belongs to nobody",
    "stops": "an owner's stop holds in every tenant",
    "webhooks": "an owner's is told of every tenant",
    "webhook_deliveries": "an owner's webhook has none",
    "kept_answers": "nobody reads it but two functions, by the hash of a key",
    "staff": "owners have none",
    "api_keys": "an owner's has none",
    "staff_secrets": "nobody reads it but the functions that compare",
    "staff_families": "nobody reads it but functions, by the id of a login",
    "login_refusals": "names that nobody has are counted, too",
    "otp_roles": "roles of a ledger, for all of its tenants",
    "key_revocations": "keys belong to a direction between services, whichever tenants they serve",
    "provider_games": "what a provider says of its games, the same for every tenant",
    "redeem_tries": "tries of codes, known or not, and of addresses",
    "nonces": "random numbers of requests, which name no tenant",
    "nonces_0": "a partition of nonces",
    "nonces_1": "a partition of nonces",
    "nonces_2": "a partition of nonces",
}


@pytest.fixture
def application(shared_database: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A connection with the application's role, which cannot be left."""
    with psycopg.connect(shared_database, autocommit=True) as connection:
        connection.execute("set session authorization casino_app")
        yield connection


def ask(url: str, question: str, *parameters: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(question, parameters).fetchall()  # type: ignore[call-overload, no-any-return]


def tables(url: str) -> list[str]:
    return [name for name, kind in ask(url, RELATIONS) if kind in ("r", "p")]


def attempts(url: str, relation: str) -> dict[str, sql.Composed]:
    """Statements that would change something; each works for a superuser, up to the constraints."""
    column = ask(
        url,
        "select attname from pg_attribute where attrelid = ('casino.' || quote_ident(%s))::regclass and attnum > 0"
        " and not attisdropped and attidentity = '' order by attnum limit 1",
        relation,
    )[0][0]
    names = {"table": sql.Identifier("casino", relation), "column": sql.Identifier(column)}
    return {
        kind: sql.SQL(text).format(**names)
        for kind, text in {
            "insert": "insert into {table} default values",
            "update": "update {table} set {column} = {column}",
            "delete": "delete from {table}",
            "truncate": "truncate {table}",
            "lock": "lock table {table} in exclusive mode",
            "alter": "alter table {table} add column x integer",
            "drop": "drop table {table}",
        }.items()
    }


def test_the_application_cannot_change_a_row_of_any_table(
    shared_database: str, application: psycopg.Connection[tuple[Any, ...]]
) -> None:
    """Row G8. Every table, with insert, update, delete, truncate, lock, alter and drop; the chain is no exception."""
    found = tables(shared_database)
    assert {"wallets", "transactions", "postings", "tombstones", "rounds", "game_sessions", "nonces"} <= set(found)
    for table in found:
        for statement in attempts(shared_database, table).values():
            with pytest.raises(InsufficientPrivilege), application.transaction():
                application.execute(statement)


def test_the_catalogue_agrees_that_the_application_only_reads(shared_database: str) -> None:
    granted = ask(
        shared_database,
        "select distinct privilege_type from information_schema.column_privileges"
        " where table_schema = 'casino' and grantee in ('casino_app', 'PUBLIC')",
    )
    assert granted == [("SELECT",)]
    more = ask(
        shared_database,
        "select relname, privilege from pg_class cross join unnest(array['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE',"
        " 'REFERENCES', 'TRIGGER', 'MAINTAIN']) as privilege where relnamespace = 'casino'::regnamespace"
        " and relkind in ('r', 'p', 'v', 'm') and has_table_privilege('casino_app', oid, privilege)",
    )
    assert more == []


def test_the_application_calls_these_functions_and_no_others(shared_database: str) -> None:
    may = ask(
        shared_database,
        "select proname from pg_proc where pronamespace = 'casino'::regnamespace"
        " and has_function_privilege('casino_app', oid, 'execute')",
    )
    assert {name for (name,) in may} == CALLABLE


@pytest.mark.parametrize(
    "call",
    [
        "select casino.open_player('JAQPOT', 'thief', 'thief', 'USD', 1000000, 1)",
        "select casino.lock_wallets(1, '{1}')",
        "select casino.judge_batch(1, '[]', '{}', now())",
        "select casino.book_entries(1, '{}', now())",
        "select casino.record_refusals(1, '{}', now())",
        "select casino.move_house_money(1, 'deposit', 1, 'gift', 1000000, null, 'x')",
        "select casino.transfer(1, 1, 2, 'theft', 1000000, null, 'x')",
    ],
)
def test_the_application_cannot_make_money_appear_nor_hold_wallets(
    application: psycopg.Connection[tuple[Any, ...]], call: str
) -> None:
    with pytest.raises(InsufficientPrivilege):
        application.execute(call)


def test_used_nonces_are_not_for_reading(application: psycopg.Connection[tuple[Any, ...]]) -> None:
    for table in ("nonces", "nonces_0", "nonces_1", "nonces_2"):
        with pytest.raises(InsufficientPrivilege):
            application.execute(sql.SQL("select * from {}").format(sql.Identifier("casino", table)))


def test_secrets_of_staff_are_not_for_reading(shared_database: str) -> None:
    with psycopg.connect(shared_database, autocommit=True) as connection:
        for role in ("casino_app", "casino_oversight"):
            connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
            for table in ("staff_secrets", "staff_families", "login_refusals", "kept_answers"):
                with pytest.raises(InsufficientPrivilege):
                    connection.execute(sql.SQL("select * from {}").format(sql.Identifier("casino", table)))


def test_an_owners_login_calls_the_functions_of_the_platform_and_no_others(shared_database: str) -> None:
    may = ask(
        shared_database,
        "select proname from pg_proc where pronamespace = 'casino'::regnamespace"
        " and has_function_privilege('casino_oversight', oid, 'execute')",
    )
    assert {name for (name,) in may} == HELPERS | DEFINERS | {"clock"}


def test_the_application_creates_nothing(application: psycopg.Connection[tuple[Any, ...]]) -> None:
    for statement in ("create table casino.x ()", "create table public.x ()", "create schema x"):
        with pytest.raises(InsufficientPrivilege):
            application.execute(statement)


@pytest.mark.parametrize("role", ["casino_owner", "casino_ledger", "casino_oversight"])
def test_the_application_cannot_become_another_role(
    application: psycopg.Connection[tuple[Any, ...]], role: str
) -> None:
    with pytest.raises(InsufficientPrivilege):
        application.execute(sql.SQL("set role {}").format(sql.Identifier(role)))


def test_the_roles_have_no_power_over_the_server(shared_database: str) -> None:
    rows = ask(
        shared_database,
        "select rolname, rolsuper, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls from pg_roles"
        " where rolname in ('casino_app', 'casino_ledger', 'casino_oversight', 'casino_owner') order by rolname",
    )
    assert rows == [
        (role, *[False] * 6) for role in ("casino_app", "casino_ledger", "casino_oversight", "casino_owner")
    ]


def test_the_application_does_not_see_the_providers_schema(own_database: str) -> None:
    with psycopg.connect(own_database, autocommit=True) as connection:
        connection.execute("create schema provider; create table provider.rounds (id integer)")
        connection.execute("set session authorization casino_app")
        with pytest.raises(InsufficientPrivilege):
            connection.execute("select * from provider.rounds")


def test_a_role_without_rights_sees_nothing_of_the_casino(shared_database: str) -> None:
    with psycopg.connect(shared_database) as connection:
        connection.execute("create role casino_passer_by")
        connection.execute("set session authorization casino_passer_by")
        for statement in ("select * from casino.wallets", "select casino.clock()"):
            with pytest.raises(InsufficientPrivilege), connection.transaction():
                connection.execute(statement)
        connection.rollback()


def test_a_trojan_in_the_callers_search_path_is_not_called(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    wallet.wait(wallet.database.call("select pg_catalog.set_config('search_path', 'pg_temp, public', false)"))
    wallet.wait(wallet.database.call("select pg_catalog.set_config('role', 'casino_app', false)"))
    wallet.bet(session)
    assert tenant.balance() == 999_000


def test_every_table_says_whose_it_is_except_for_these_reasons(shared_database: str) -> None:
    rows = ask(
        shared_database,
        "select table_name from information_schema.columns where table_schema = 'casino' and column_name = 'tenant_id'"
        " and is_nullable = 'NO'",
    )
    without = set(tables(shared_database)) - {name for (name,) in rows}
    assert without == set(NO_TENANT_BECAUSE)


def test_every_key_among_the_money_tables_begins_with_the_ledger(shared_database: str) -> None:
    """It is what lets a ledger be placed on a machine of its own. A tenant's id alone is unique over all ledgers."""
    rows = ask(
        shared_database,
        "select index.indrelid::regclass::text, index.indexrelid::regclass::text, attribute.attname"
        " from pg_index as index"
        " join pg_class as money on money.oid = index.indrelid and money.relnamespace = 'casino'::regnamespace"
        " join pg_attribute as attribute on attribute.attrelid = index.indrelid and attribute.attnum = index.indkey[0]"
        " where exists (select 1 from pg_attribute where attrelid = index.indrelid and attname = 'ledger_id')"
        " and index.indisunique",
    )
    assert len(rows) >= 8
    assert [row[1] for row in rows if row[2] != "ledger_id"] == ["casino.tenants_pkey"]
    rows = ask(
        shared_database,
        "select conname, attname from pg_constraint join pg_attribute on attrelid = conrelid and attnum = conkey[1]"
        " where contype = 'f' and connamespace = 'casino'::regnamespace and not exists ("
        " select from unnest(array[conrelid, confrelid]) as side where not exists ("
        " select from pg_attribute as own where own.attrelid = side and own.attname = 'ledger_id'))",
    )
    assert len(rows) >= 8
    assert [row[0] for row in rows if row[1] != "ledger_id"] == ["ledgers_tenant_id_fkey"]


MAKE_TABLES = {"make_event_month", "copy_row_security"}
"""They build statements of names in the catalogue and of an instant: a partition cannot be made otherwise."""


def test_no_function_builds_sql_at_run_time(shared_database: str) -> None:
    rows = ask(
        shared_database,
        "select proname, coalesce(pg_get_function_sqlbody(oid), prosrc) from pg_proc"
        " where pronamespace = 'casino'::regnamespace",
    )
    for name, source in rows:
        statements = " ".join(line.split("--")[0] for line in source.splitlines()).lower()
        assert name in MAKE_TABLES or " execute " not in f" {statements} ", name
