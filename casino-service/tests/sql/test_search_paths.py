"""What a function of the owner believes of names: no caller's schema, and no temporary one, is asked before its own.

A type is looked up in pg_temp before everything else, unless pg_temp stands in the path, at its end. Row G8.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import msgspec
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import InsufficientPrivilege

from casino.sql.schema import SCHEMA
from casino.wallet.commands import WalletCommand, token_hash
from casino_testing.wallet import STAKE_MINOR, Session, new_id
from local_stack.testing import PostgresServer, create_database, drop_database
from shared_service.postgres.migrate import migrate

PATH = "search_path=pg_catalog, pg_temp"
TRAPPED = "TRAPP"
BASE_TYPES = """
    select typname from pg_type
    where typnamespace = 'pg_catalog'::regnamespace and typtype = 'b' and typcategory <> 'A' and typname !~ '^(reg|pg_)'
"""
TRAP = """
    create function pg_temp.trap() returns boolean language plpgsql as $$
    begin
        if current_user <> 'casino_app' then
            raise exception 'the application has become %', current_user using errcode = 'TRAPP';
        end if;
        return true;
    end;
    $$
"""
CALLS_WITH_NULLS = """
    select format('select * from %s(%s)', oid::regproc, (
        select string_agg(format('null::%s', format_type(argument, null)), ', ' order by place)
        from unnest(proargtypes::oid[]) with ordinality as given (argument, place)
    ))
    from pg_proc
    where pronamespace = 'casino'::regnamespace and has_function_privilege('casino_app', oid, 'execute')
"""

MAY_MAKE_TEMPORARY = "select has_database_privilege('casino_app', current_database(), 'temporary')"
INLINED = {
    *("clock", "session_life", "feed_position", "head", "entry_hash", "entry_hash_2", "entry_details", "win_cap"),
    *("capped_sum", "balance_max", "wallet_differences", "ledger_wide_differences", "action_id"),
    *("differences_of_bonuses", "differences_of_vouchers"),
    *("calendar_periods", "limits_of_bet", "counted_since"),
    *("read_wallet_commands", "refusal_of", "is_remembered", "is_allowed"),
    *("risk_of", "risk_band"),
}

Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def calls(own_database: str) -> list[str]:
    """A call of every function that the application may call."""
    with psycopg.connect(own_database) as connection:
        found = [text for (text,) in connection.execute(CALLS_WITH_NULLS)]
    assert len(found) >= 19
    return found


@pytest.fixture
def intruder(own_database: str) -> Iterator[Connection]:
    """The application's connection in the wrong hands: every type of the system has a twin in pg_temp that is a trap.

    The right to make them is given for that, as if it had never been taken away.
    """
    with psycopg.connect(own_database, autocommit=True) as connection:
        types = [name for (name,) in connection.execute(BASE_TYPES)]
        assert {"text", "jsonb", "bytea", "uuid", "timestamptz", "interval"} <= set(types)
        database = sql.Identifier(str(conninfo_to_dict(own_database)["dbname"]))
        connection.execute(sql.SQL("grant temporary on database {} to casino_app").format(database))
        connection.execute("set session authorization casino_app")
        connection.execute(TRAP)
        for name in types:
            twin, own = sql.Identifier("pg_temp", name), sql.Identifier("pg_catalog", name)
            connection.execute(sql.SQL("create domain {} as {} check (pg_temp.trap())").format(twin, own))
        yield connection


def test_no_function_takes_a_type_of_its_caller_for_one_of_its_own(intruder: Connection, calls: list[str]) -> None:
    """Red before: casino_app became casino_owner through a domain that is called text."""
    sprung = []
    for call in calls:
        try:
            intruder.execute(call)
        except psycopg.Error as error:  # most functions do not take nulls
            sprung += [(call, str(error))] if error.sqlstate == TRAPPED else []
    assert sprung == []


def test_a_whole_round_runs_into_no_trap(intruder: Connection) -> None:
    """With arguments that lead through every branch that books."""
    session = Session(uuid.uuid4(), new_id("token"), "1")
    intruder.execute(
        "select casino.open_session(1, 'JAQPOT', '1', '1', %s, %s, null, null)",
        [session.session_id, bytes.fromhex(token_hash(session.token))],
    )
    bet, undone = session.debit(), session.debit()
    win = session.credit(related_id=bet.transaction_id)
    for command in (bet, undone, session.rollback(undone.transaction_id), win, bet, session.rollback("never seen")):
        assert booked(intruder, command) in {"committed", "replayed"}
    intruder.execute(
        "select * from casino.get_balances(1, %s::pg_catalog.jsonb)",
        [msgspec.json.encode([{"tokenHash": token_hash(session.token), "playerId": "1"}]).decode()],
    )
    intruder.execute("select casino.claim_nonces(array['nonce'], array[extract(epoch from now())::bigint])")
    intruder.execute("select casino.take_client_token(1, 'JAQPOT', '1', 10, 5)")
    assert intruder.execute("select casino.check_access_token('JAQPOT', '', '', now())").fetchone() == (True,)
    with intruder.transaction():
        intruder.execute("select casino.see_tenant(1, 'JAQPOT')")
        assert intruder.execute("select * from casino.ledger_differences").fetchall() == []
        balance = intruder.execute("select balance_minor from casino.wallets where player_id = '1'").fetchone()
        assert balance == (1_000_000 + STAKE_MINOR,)


def booked(connection: Connection, command: WalletCommand) -> str:
    row = connection.execute(
        "select o_outcome from casino.execute_wallet_commands(1, %s::pg_catalog.jsonb)",
        [msgspec.json.encode([command]).decode()],
    ).fetchone()
    assert row is not None
    return str(row[0])


def test_every_function_looks_names_up_in_the_system_alone_or_was_bound_to_them_when_it_was_made(
    shared_database: str,
) -> None:
    """What is inlined can have no `set`: its body is SQL that was read once, by the migration (`begin atomic`)."""
    with psycopg.connect(shared_database) as connection:
        rows = connection.execute(
            "select proname, coalesce(proconfig, '{}'), prosqlbody is not null, prosecdef from pg_proc"
            " where pronamespace = 'casino'::regnamespace"
        ).fetchall()
    assert len(rows) >= 20
    assert {name for name, settings, _, _ in rows if PATH not in settings} == INLINED
    assert {name for name, _, bound, _ in rows if bound} == INLINED
    assert not {name for name, _, _, owners in rows if owners} & INLINED


@pytest.mark.parametrize(
    "call",
    [
        "select casino.clock()",
        "select casino.session_life()",
        "select casino.feed_position(pg_current_xact_id(), 1, 0)",
        "select casino.head(sequence_no, entry_hash) from casino.transactions",
        "select casino.entry_hash(entry_hash, ledger_id, wallet_id, sequence_no, transaction_id, kind, session_id,"
        " round_id, amount_minor, currency, related_transaction_id, balance_after_minor, tombstone,"
        " already_rolled_back) from casino.transactions",
        "select casino.entry_details(recorded_at, request_id, signed_by, provider_id) from casino.transactions",
        "select casino.entry_hash_2(entry_hash, ledger_id, wallet_id, sequence_no, transaction_id, kind, session_id,"
        " round_id, amount_minor, currency, related_transaction_id, balance_after_minor, tombstone,"
        " already_rolled_back, casino.entry_details(recorded_at, request_id, signed_by, provider_id))"
        " from casino.transactions",
        "select casino.win_cap(win_cap_minor, stake_max_minor) from casino.games",
        "select casino.counted_since(counter.played_until, play.last_login_at)"
        " from casino.limit_counters as counter, casino.play_sessions as play",
        "select * from casino.wallet_differences(1, 1, 2)",
        "select * from casino.ledger_wide_differences(1)",
    ],
)
def test_what_is_bound_is_inlined(shared_database: str, call: str) -> None:
    name = call.split("casino.")[1].split("(", maxsplit=1)[0]
    assert name in INLINED
    with psycopg.connect(shared_database) as connection:
        plan = "\n".join(line for (line,) in connection.execute("explain (verbose) " + call))  # type: ignore[call-overload]
    assert f"casino.{name}(" not in plan, plan


@pytest.fixture
def migrated(postgres_server: PostgresServer, casino_template: str) -> Iterator[str]:
    """A database on which nothing was done but `casino migrate`; a copy of a template would not keep its rights."""
    name = f"casino_only_migrated_{uuid.uuid4().hex}"
    url = create_database(postgres_server, name)
    migrate(SCHEMA, url)
    yield url
    drop_database(postgres_server, name)


def test_no_role_of_the_application_makes_temporary_objects(migrated: str) -> None:
    with psycopg.connect(migrated, autocommit=True) as connection, connection.transaction(force_rollback=True):
        connection.execute("create role casino_visitor")
        for role in ("casino_app", "casino_visitor"):
            connection.execute(sql.SQL("set session authorization {}").format(sql.Identifier(role)))
            for statement in ("create temp table x ()", "create domain pg_temp.text as pg_catalog.text"):
                with pytest.raises(InsufficientPrivilege), connection.transaction():
                    connection.execute(statement)
            connection.execute("reset session authorization")


def test_the_right_to_temporary_objects_is_taken_again_when_it_came_back(migrated: str) -> None:
    """A dump that is restored brings no rights on its database."""
    with psycopg.connect(migrated, autocommit=True) as connection:
        database = sql.Identifier(str(conninfo_to_dict(migrated)["dbname"]))
        connection.execute(sql.SQL("grant temporary on database {} to public").format(database))
        migrate(SCHEMA, migrated)
        assert connection.execute(MAY_MAKE_TEMPORARY).fetchone() == (False,)


def test_a_migration_that_may_not_take_the_right_says_who_can(postgres_server: PostgresServer, migrated: str) -> None:
    login, database = f"casino_deployer_{uuid.uuid4().hex[:8]}", str(conninfo_to_dict(migrated)["dbname"])
    with psycopg.connect(migrated, autocommit=True) as connection:
        statement = sql.SQL("create role {} login in role casino_owner password {}")
        connection.execute(statement.format(sql.Identifier(login), sql.Literal(postgres_server.passwords.of(login))))
        connection.execute(sql.SQL("grant temporary on database {} to public").format(sql.Identifier(database)))
        said = migrate(SCHEMA, postgres_server.url(database, user=login))
        connection.execute(sql.SQL("drop role {}").format(sql.Identifier(login)))
    (line,) = said
    assert line.endswith(f': revoke temporary on database "{database}" from public, "casino_app"')


def test_nothing_that_a_caller_sets_moves_the_ledger(shared_database: str) -> None:
    """Red before: casino.test_now moved the clock of a production schema."""
    with psycopg.connect(shared_database) as connection:
        rows = connection.execute(
            "select proname, coalesce(pg_get_function_sqlbody(oid), prosrc) from pg_proc"
            " where pronamespace = 'casino'::regnamespace"
        ).fetchall()
    assert len(rows) >= 20
    # casino.sees reads the view of the transaction, as the policies do.
    assert [name for name, body in rows if "current_setting" in body.lower()] == ["refusal_to_manage", "sees"]
