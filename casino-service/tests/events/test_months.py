"""casino.ledger_events by month: the revision that makes it so, months made ahead, bets that wait for nothing."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from casino.events.months import make_months
from casino.sql.schema import SCHEMA, database_for
from casino_testing.processes import HeldTransaction, held_transaction
from casino_testing.service import settings_of
from casino_testing.tenant import SET_CLOCK, Tenant
from casino_testing.wallet import Wallet, new_id
from shared_service.postgres.migrate import migrate

PLACE_OF_EVENTS = """
    select action_id, tableoid::regclass::text as partition from casino.ledger_events
    where ledger_id = %s and event_type = 'BET' order by at
"""
MAKE = "select * from casino.make_event_months()"
MONTHS = "select o_partition::text as name, o_from, o_to from casino.event_months()"
BACK_TO_0019 = """
    create table casino.plain (like casino.ledger_events including all);
    insert into casino.plain select * from casino.ledger_events;
    drop table casino.ledger_events cascade;
    delete from casino.applied_sql_files;
    alter table casino.plain rename to ledger_events;
    alter table casino.ledger_events rename constraint plain_pkey to ledger_events_pkey;
    alter table casino.ledger_events owner to casino_owner;
    alter table casino.ledger_events enable row level security, force row level security;
    create policy own_tenants on casino.ledger_events to casino_app using (
        tenant_id = any ((select nullif(current_setting('casino.tenants', true), '')::text[])::text[])
    );
    create policy every_tenant on casino.ledger_events to casino_owner, casino_ledger using (true);
    create policy oversight on casino.ledger_events for select to casino_oversight using (true);
    grant select on casino.ledger_events to casino_app, casino_ledger, casino_oversight;
    grant insert on casino.ledger_events to casino_ledger;
    update casino.alembic_version set version_num = '0019';
"""
"""The table as it was before the revision, with its rows."""
NODE = "select relfilenode from pg_class where oid = %s::regclass"


@pytest.fixture
def demo(own_database: str) -> Iterator[Tenant]:
    """The demo tenant, in a database of its own."""
    tenant = Tenant.demo(own_database)
    yield tenant
    assert tenant.differences() == []
    tenant.close()


@pytest.fixture
def betting(demo: Tenant) -> Iterator[Wallet]:
    """A wallet of the demo tenant that bets."""
    wallet = Wallet(demo, settings_of(demo))
    yield wallet
    wallet.close()


@pytest.fixture
def held(demo: Tenant) -> Iterator[HeldTransaction]:
    """A second connection, whose transaction stays open."""
    with held_transaction(demo) as connection:
        yield connection


def made(months: int) -> dict[str, int]:
    return {"o_made": months, "o_missing": 0}


def bet(wallet: Wallet) -> str:
    """Place a bet. Returns the partition that has its event."""
    wallet.bet(wallet.open_session("1"), round_id=new_id("round"))
    return str(wallet.tenant.sql(PLACE_OF_EVENTS, wallet.tenant.ledger_id)[-1]["partition"])


def month_name(tenant: Tenant, ahead: int = 0) -> str:
    return str(
        tenant.sql(
            "select to_char(timezone('UTC', now()) + make_interval(months => %s), '\"casino.ledger_events_\"YYYY_MM')"
            " as name", ahead,
        )[0]["name"]
    )  # fmt: skip


def drop_month(tenant: Tenant, ahead: int = 0) -> None:
    """Undo what made a month: its events are in the default partition."""
    tenant.sql(
        f"create table public.kept as select * from {month_name(tenant, ahead)};"
        f" drop table {month_name(tenant, ahead)};"
        " insert into casino.ledger_events select * from public.kept;"
        " drop table public.kept"
    )


def test_migrate_makes_this_month_and_three_more(demo: Tenant, betting: Wallet) -> None:
    months = demo.sql(MONTHS)
    assert [row["name"] for row in months] == [
        month_name(demo), *(month_name(demo, ahead) for ahead in (2, 3)), "casino.ledger_events_default",
    ]  # fmt: skip
    assert [row["o_to"] for row in months[:-2]] == [row["o_from"] for row in months[1:-1]], "without a gap"
    assert bet(betting) == month_name(demo)


def test_a_month_that_nobody_made_refuses_no_bet_and_gets_its_events_later(demo: Tenant, betting: Wallet) -> None:
    drop_month(demo)
    assert bet(betting) == "casino.ledger_events_default"
    assert demo.sql(MAKE) == [made(2)], "it had the month after, too"
    assert [row["partition"] for row in demo.sql(PLACE_OF_EVENTS, 1)] == [month_name(demo)]
    assert bet(betting) == month_name(demo)


def test_many_events_of_the_default_partition_stay_there(demo: Tenant, betting: Wallet) -> None:
    drop_month(demo)
    assert [bet(betting), bet(betting)] == ["casino.ledger_events_default"] * 2
    events = len(demo.rows("ledger_events"))
    assert demo.sql("select casino.make_event_month(now(), %s) as made", events - 1) == [{"made": False}]
    assert len(demo.rows("ledger_events")) == events, "every report finds them"
    assert demo.sql("select casino.make_event_month(now(), %s) as made", events) == [{"made": True}]


async def test_a_month_that_cannot_be_made_is_shown(demo: Tenant, held: HeldTransaction) -> None:
    shown: list[int] = []
    settings = settings_of(demo, lock_timeout_ms=200)
    async with database_for(settings, size_max=1) as database:
        await make_months(database, shown.append)
        assert shown == [0]
        drop_month(demo)
        held.execute("lock table casino.ledger_events_default in share mode")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            await make_months(database, shown.append)
        assert shown == [0, 2]
        held.rollback()
        await make_months(database, shown.append)
    assert shown == [0, 2, 2, 0]


def test_a_bet_of_another_time_is_not_refused(demo: Tenant, betting: Wallet) -> None:
    demo.make_clock_settable()
    for now in ("1999-12-31T23:59:59Z", "2199-01-01T00:00:00Z"):
        betting.wait(betting.database.call("select pg_catalog.set_config('test.now', %s, false)", (now,)))
        betting.bet(betting.open_session("1"), round_id=now)
    places = [row["partition"] for row in demo.sql(PLACE_OF_EVENTS, 1)]
    assert places == ["casino.ledger_events_default"] * 2
    demo.sql(SET_CLOCK, "2199-01-01T00:00:00Z")
    assert demo.sql(MAKE) == [made(4)]
    assert [row["partition"] for row in demo.sql(PLACE_OF_EVENTS, 1)][1:] == ["casino.ledger_events_2199_01"]


def test_a_month_is_made_beside_a_bet_and_a_bet_beside_it(demo: Tenant, betting: Wallet, held: HeldTransaction) -> None:
    """Neither waits: a wait for a lock would end in an error. A reader of all events waits while one is attached."""
    drop_month(demo, 3)
    held.execute("set lock_timeout = '100ms'")
    held.execute(
        "insert into casino.ledger_events (ledger_id, at, tenant_id, event_type, action_id, currency)"
        " values (1, now(), 'JAQPOT', 'LOGIN', 'x', 'USD')"
    )
    demo.sql("set lock_timeout = '100ms'")
    assert demo.sql(MAKE) == [made(1)]
    held.rollback()

    drop_month(demo, 3)
    assert held.execute(MAKE).fetchone() == (1, 0)
    betting.wait(betting.database.call("select set_config('lock_timeout', '100ms', false)", ()))
    betting.bet(betting.open_session("1"))
    held.commit()


def test_of_two_who_make_a_month_one_makes_it(demo: Tenant, held: HeldTransaction) -> None:
    drop_month(demo, 3)
    held.execute(MAKE)
    demo.sql("set lock_timeout = '100ms'")
    with pytest.raises(psycopg.errors.LockNotAvailable):
        demo.sql(MAKE)
    held.commit()
    assert demo.sql(MAKE) == [made(0)]


def test_the_table_so_far_becomes_the_first_month_as_it_is(demo: Tenant, betting: Wallet) -> None:
    demo.sql(BACK_TO_0019)
    betting.bet(betting.open_session("1"))
    before, rows = demo.sql(NODE, "casino.ledger_events"), demo.rows("ledger_events")
    migrate(SCHEMA, demo.url)
    assert demo.sql(NODE, month_name(demo)) == before, "nothing was rewritten"
    assert demo.rows("ledger_events") == rows
    assert bet(betting) == month_name(demo), "a connection that knew the old table finds the new one"
    assert demo.sql("select count(*) as left from pg_constraint where conname = 'events_are_of_months'") == [
        {"left": 0}
    ]


def test_a_revision_that_ended_between_its_steps_is_begun_again(demo: Tenant, betting: Wallet) -> None:
    demo.sql(BACK_TO_0019)
    demo.sql(
        "alter table casino.ledger_events add constraint events_are_of_months"
        " check (at >= '2000-01-01' and at < '2100-01-01') not valid"
    )
    migrate(SCHEMA, demo.url)
    assert bet(betting) == month_name(demo)
    assert demo.sql(MONTHS)[0]["o_from"].year > 2000, "by bounds that were found anew"
