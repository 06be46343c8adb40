"""Vouchers cost the same however many there were: the plans of a small ledger stay right when it is large.

Red before: each entry of a float read all entries before it, and a batch of 500 took three seconds after 12,000.
A text with a collation of its own, given to a function, gave it to all texts of that function, and no index fitted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import psycopg
import pytest

from casino_testing.agent import Agent
from casino_testing.growth import READS, add_other_players
from casino_testing.tenant import Tenant

ROUNDS_BEFORE: Final = 3
ROUNDS: Final = 12
ISSUED_PER_ROUND: Final = 40
READS_MORE_MAX: Final = 1.1
OWN_COLLATIONS: Final = """
    select distinct relname from pg_attribute
    join pg_class on pg_class.oid = attrelid
    join pg_type on pg_type.oid = atttypid
    where relnamespace = 'casino'::regnamespace and relkind in ('r', 'p') and attnum > 0 and not attisdropped
        and attcollation <> typcollation
"""
FREEZE: Final = """
    do $$
    declare
        v_table regclass;
    begin
        for v_table in
            select oid from pg_class where relnamespace = 'casino'::regnamespace and relkind = 'r' order by oid
        loop
            execute format('alter table %%s set (autovacuum_enabled = false)', v_table);
            execute format('analyze %%s', v_table);
        end loop;
    end;
    $$
"""


@pytest.fixture
def agent(own_database: str) -> Iterator[Agent]:
    tenant = Tenant.demo(own_database)
    add_other_players(tenant)
    agent = Agent.below(tenant, bonus_bp=5_000, funds_minor=10**9)
    for _ in range(ROUNDS_BEFORE):
        a_round_of_everything(agent)
    tenant.sql(FREEZE)
    yield agent
    assert tenant.differences() == []
    tenant.close()


def a_round_of_everything(agent: Agent) -> None:
    """Issue a batch, redeem one voucher, make one void."""
    redeemed, void, *_ = agent.issue(ISSUED_PER_ROUND)
    assert agent.attempt(redeemed) is None
    assert agent.redeem(redeemed)["o_code"] is None
    assert agent.void(void) is None


def reads_of_a_round(agent: Agent) -> int:
    before = reads(agent)
    a_round_of_everything(agent)
    return reads(agent) - before


def reads(agent: Agent) -> int:
    """Rows that were read by an index or a scan so far. A connection that has ended has told its own."""
    agent.tenant.sql("select pg_stat_force_next_flush()")
    agent.tenant.sql("select 1")
    row = agent.tenant.sql(READS)[0]
    return int(row["scanned"]) + int(row["fetched"])


def test_reads_for_each_voucher_stay_the_same_while_there_are_more(agent: Agent) -> None:
    a_round_of_everything(agent)
    costs = [reads_of_a_round(agent) for _ in range(ROUNDS)]
    assert costs[-1] <= READS_MORE_MAX * costs[0], costs


def test_no_column_but_those_of_events_has_a_collation_of_its_own(shared_database: str) -> None:
    with psycopg.connect(shared_database) as connection:
        rows = connection.execute(OWN_COLLATIONS).fetchall()
    assert {name for (name,) in rows if not name.startswith("ledger_events")} == set()
