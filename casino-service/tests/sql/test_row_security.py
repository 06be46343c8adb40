"""`make test-rls`: every table by SQL as the application's role, with no tenant, its own, one below and a foreign one.

Tables, views, partitions and functions are found in the catalogue: a new one is tried without a change here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from casino_testing import platform_functions
from casino_testing.copies import copied_database
from casino_testing.service import login_url
from casino_testing.tenant_tree import LEDGER_OF, ONLY_AT_THE_TOP, STRANGER, TREE, plant
from local_stack.testing import PostgresServer

RELATIONS = """
    select relname, relkind::text, relispartition,
        exists (select from pg_attribute where attrelid = pg_class.oid and attname = 'tenant_id') as has_tenant,
        relrowsecurity and relforcerowsecurity as is_forced,
        coalesce('security_invoker=true' = any (reloptions), false) as is_invoker
    from pg_class where relnamespace = 'casino'::regnamespace and relkind in ('r', 'p', 'v', 'm')
    order by relname
"""
POLICIES = """
    select policyname, permissive, roles::text[], cmd, qual, with_check from pg_policies
    where schemaname = 'casino' and tablename = %s
"""
DEFINERS = """
    select proname from pg_proc
    where pronamespace = 'casino'::regnamespace and prosecdef and has_function_privilege('casino_app', oid, 'execute')
"""
SETS = """
    select format('select * from %s(%s)', oid::regproc, (
        select string_agg(case format_type(argument, null) when 'integer' then '1' when 'text' then '''JAQPOT'''
            when 'bigint' then case place when 3 then '9223372036854775807' else '1' end else 'null' end, ', '
            order by place)
        from unnest(proargtypes::oid[]) with ordinality as given (argument, place)
    )) from pg_proc
    where pronamespace = 'casino'::regnamespace and not prosecdef and proretset
        and has_function_privilege('casino_app', oid, 'execute')
        and proname <> all (array['event_months', 'event_months_missing'])
"""
"""Functions that return rows, except those that show partitions and nobody's row."""
SEES_A_LEDGER = {
    *("execute_wallet_commands", "read_balances", "get_balances"),  # by the token of a session, and its provider
    *("feed_page", "find_transaction", "find_tombstone"),  # by the provider, which reaches every tenant
    *("open_session", "enter_session", "bind_provider_session", "close_session", "close_expired_sessions"),
    *("count_client_call", "take_client_token", "check_access_token", "prune_client_limits"),
    *("take_nonces", "claim_nonces", "empty_old_nonce_drawer"),  # random numbers
    *("count_unsigned", "restore_unfinished", "is_known"),  # a number, a sentence, two flags
    "see_tenant",  # the ids of the tenants below one
    "note_provider_games",  # only new games, of tenants that take every game of main (test_give_games)
    *("try_voucher", "redeem_voucher"),  # by the HMACs of a voucher's code and PIN
    *("claim_deliveries", "finish_delivery", "ended_webhooks"),  # what webhooks are told, to the process that sends it
    *("overdue_deliveries", "forget_webhook_events"),  # a number; what is 30 days old
    "expire_vouchers",  # gives the money of every voucher whose time is over back
    *("make_event_months", "fold_sessions"),  # nothing of a caller is in what they write
    "tell_errors",  # only adds rows of errors
    *("take_games", "provider_of_session"),  # games of further providers (test_take_games); a provider's id
}
"""Functions that run with the rights of casino_ledger, and how each of them is bounded. A new one is a decision."""
WRITES = ("insert into {} default values", "update {} set tenant_id = tenant_id", "delete from {}", "truncate {}")
SCOPES = [None, "", *TREE, STRANGER, "NOBODY"]

Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture(scope="module")
def planted(postgres_server: PostgresServer, casino_template: str) -> Iterator[str]:
    """The superuser's URL of a database with a tree of tenants."""
    with copied_database(postgres_server, casino_template) as url:
        plant(url)
        yield url


@pytest.fixture
def superuser(planted: str) -> Iterator[Connection]:
    with psycopg.connect(planted) as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def application(planted: str) -> Iterator[Connection]:
    """The login that serves, in its role."""
    with psycopg.connect(login_url(planted), autocommit=True, options="-c role=casino_app") as connection:
        yield connection


@pytest.fixture
def relations(superuser: Connection) -> dict[str, Any]:
    return {row[0]: row[1:] for row in superuser.execute(RELATIONS)}


def secured(relations: dict[str, Any]) -> list[str]:
    return [name for name, (kind, _, has_tenant, *_) in relations.items() if kind in "rp" and has_tenant]


def tables_of_tenants(relations: dict[str, Any]) -> list[str]:
    """Without partitions, which are reached through their table."""
    return [name for name in secured(relations) if not relations[name][1]]


def expected_in(table: str, scope: str | None) -> frozenset[str]:
    """The tenants whose rows this scope shows. The process serves ledger 1."""
    visible = TREE.get(scope or "", frozenset())
    return visible & {"JAQPOT"} if table in ONLY_AT_THE_TOP else visible


def tenants_in(connection: Connection, relation: str) -> frozenset[str]:
    statement = sql.SQL("select distinct tenant_id from {}").format(sql.Identifier("casino", relation))
    return frozenset(row[0] for row in connection.execute(statement))


def enter(connection: Connection, scope: str | None) -> None:
    if scope is not None:
        connection.execute("select casino.see_tenant(1, %s)", [scope])


def test_every_table_with_a_tenant_has_forced_row_security_and_these_policies(
    superuser: Connection, relations: dict[str, Any]
) -> None:
    found = secured(relations)
    assert {"wallets", "transactions", "postings", "rounds", "tombstones", "ledger_events", "tenants"} <= set(found)
    assert [name for name in found if not relations[name][3]] == []
    for name in found:
        own, oversight, every = sorted(superuser.execute(POLICIES, [name]).fetchall(), reverse=True)
        assert own[:4] == ("own_tenants", "PERMISSIVE", ["casino_app"], "ALL"), name
        assert "casino.tenants" in own[4], name
        assert every == ("every_tenant", "PERMISSIVE", ["casino_ledger", "casino_owner"], "ALL", "true", None), name
        assert oversight == ("oversight", "PERMISSIVE", ["casino_oversight"], "SELECT", "true", None), name


def test_each_tenant_has_rows_in_every_table(superuser: Connection, relations: dict[str, Any]) -> None:
    """Otherwise the trial would prove nothing."""
    for table in tables_of_tenants(relations):
        wanted = {"JAQPOT", STRANGER} if table in ONLY_AT_THE_TOP else set(LEDGER_OF)
        assert tenants_in(superuser, table) == wanted, table


@pytest.mark.parametrize("scope", SCOPES, ids=str)
def test_a_tenant_sees_its_own_rows_and_those_below_and_no_others(
    application: Connection, relations: dict[str, Any], scope: str | None
) -> None:
    for table in tables_of_tenants(relations):
        with application.transaction():
            enter(application, scope)
            assert tenants_in(application, table) == expected_in(table, scope), table
        assert tenants_in(application, table) == frozenset(), f"{table}: after the transaction nothing is seen"


@pytest.mark.parametrize("scope", SCOPES, ids=str)
def test_views_show_what_the_tables_show(application: Connection, relations: dict[str, Any], scope: str | None) -> None:
    views = {name: facts for name, facts in relations.items() if facts[0] in "vm"}
    assert {"provider_feed", "ledger_differences"} <= views.keys()
    assert [name for name, facts in views.items() if not facts[4]] == [], "security_invoker"
    for name, facts in views.items():
        with application.transaction():
            enter(application, scope)
            if facts[2]:
                assert tenants_in(application, name) <= expected_in(name, scope), name
            else:
                statement = sql.SQL("select * from {}").format(sql.Identifier("casino", name))
                assert application.execute(statement).fetchall() == [], name


def test_partitions_cannot_be_reached_past_their_table(application: Connection, relations: dict[str, Any]) -> None:
    partitions = [name for name, facts in relations.items() if facts[1]]
    assert partitions
    for name in partitions:
        with pytest.raises(InsufficientPrivilege):
            application.execute(sql.SQL("select * from {}").format(sql.Identifier("casino", name)))


@pytest.mark.parametrize("scope", [None, "JAQPOT", "JAQPOT-A", STRANGER], ids=str)
def test_nothing_is_written_whichever_tenant_is_seen(
    application: Connection, relations: dict[str, Any], scope: str | None
) -> None:
    with application.transaction():
        enter(application, scope)
        for table in tables_of_tenants(relations):
            for statement in WRITES:
                written = sql.SQL(statement).format(sql.Identifier("casino", table))
                with pytest.raises(InsufficientPrivilege), application.transaction():
                    application.execute(written)


@pytest.mark.parametrize("write", ["update {} set tenant_id = tenant_id", "delete from {}"])
def test_a_right_to_write_would_reach_no_foreign_row(
    superuser: Connection, relations: dict[str, Any], write: str
) -> None:
    """The policies hold for writes, too, if a later release grants them."""
    superuser.execute("grant insert, update, delete on all tables in schema casino to casino_app")
    superuser.execute("set local role casino_app")
    enter(superuser, "JAQPOT-A")
    for table in tables_of_tenants(relations):
        foreign = sql.SQL(write + " where tenant_id <> all (%s)").format(sql.Identifier("casino", table))
        assert superuser.execute(foreign, [list(TREE["JAQPOT-A"])]).rowcount == 0, table


def test_a_right_to_write_would_make_no_foreign_row(superuser: Connection, relations: dict[str, Any]) -> None:
    superuser.execute("grant insert, update, delete on all tables in schema casino to casino_app")
    superuser.execute("set local role casino_app")
    enter(superuser, "JAQPOT-A")
    for table in tables_of_tenants(relations):
        if table in ONLY_AT_THE_TOP:
            continue
        statement = sql.SQL("update {} set tenant_id = 'JAQPOT-B'").format(sql.Identifier("casino", table))
        with pytest.raises(InsufficientPrivilege, match="row-level security"), superuser.transaction():
            superuser.execute(statement)


def test_functions_with_more_rights_than_their_caller_are_these(superuser: Connection) -> None:
    assert {name for (name,) in superuser.execute(DEFINERS)} == SEES_A_LEDGER | platform_functions.DEFINERS


@pytest.mark.parametrize("scope", [None, "JAQPOT-A", STRANGER], ids=str)
def test_other_functions_show_what_the_tables_show(
    superuser: Connection, application: Connection, scope: str | None
) -> None:
    """A wallet of JAQPOT-B is out of order: only who sees that tenant is told."""
    calls = [call for (call,) in superuser.execute(SETS)]
    assert any("wallet_differences" in call for call in calls)
    superuser.execute(
        "update casino.wallets set balance_minor = 1 where tenant_id = 'JAQPOT-B' and owner_kind = 'player'"
    )
    superuser.commit()
    try:
        for call in calls:
            with application.transaction():
                enter(application, scope)
                assert application.execute(call.encode()).fetchall() == [], call
        with application.transaction():
            enter(application, "JAQPOT")
            assert [row for call in calls for row in application.execute(call.encode()).fetchall()]
    finally:
        superuser.execute(
            "update casino.wallets set balance_minor = 999500 where tenant_id = 'JAQPOT-B' and owner_kind = 'player'"
        )
        superuser.commit()


def test_the_setting_of_one_transaction_is_gone_in_the_next(application: Connection) -> None:
    with application.transaction():
        assert application.execute("select casino.see_tenant(1, 'JAQPOT-A')").fetchone() == (True,)
        assert application.execute("select current_setting('casino.tenant')").fetchone() == ("JAQPOT-A",)
        assert application.execute("select casino.see_tenant(1, 'NOBODY')").fetchone() == (False,)
        assert tenants_in(application, "tenants") == frozenset()
    application.execute("select casino.see_tenant(1, 'JAQPOT')")
    assert tenants_in(application, "tenants") == frozenset(), "outside of a transaction it lasts for its own statement"
