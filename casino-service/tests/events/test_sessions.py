"""Snapshots of sessions: folded from the events behind the bets, and the same when they are made anew. Logins."""

from __future__ import annotations

from typing import Any

import pytest

from casino_testing.processes import held_transaction
from casino_testing.tenant import SET_CLOCK, Tenant
from casino_testing.wallet import Wallet

LATER = "2031-01-01T00:00:00Z"
FOLD = "select casino.fold_sessions(%s) as more"
REBUILD = "select casino.rebuild_session_snapshots(%s) as snapshots"
IMPORTED = """
    insert into casino.ledger_events (
        ledger_id, at, tenant_id, event_type, action_id, player_id, session_id, amount_minor, currency, imported
    ) values (%(ledger)s, '2020-01-01', %(tenant)s, 'BET', 'old', 'old player', 'old session', 70, 'USD', true),
    (%(ledger)s, '2020-01-01 05:00Z', %(tenant)s, 'WIN', 'old win', 'old player', 'old session', 30, 'USD', true)
"""


@pytest.fixture
def late(tenant: Tenant) -> Tenant:
    """The tenant, by a clock that is long past every event."""
    tenant.make_clock_settable()
    return tenant


def snapshots(tenant: Tenant) -> list[dict[str, Any]]:
    return sorted(tenant.rows("session_snapshots"), key=lambda row: str(row["session_id"]))


def fold(tenant: Tenant) -> None:
    tenant.sql(SET_CLOCK, LATER)
    while tenant.sql(FOLD, tenant.ledger_id)[0]["more"]:
        pass
    tenant.sql(SET_CLOCK, "")


def play(wallet: Wallet, player_id: str = "1") -> str:
    """A bet that wins, one that is taken back, and one that is refused. Returns the session's id."""
    session = wallet.open_session(player_id)
    bet = wallet.bet(session, round_id=f"won {session.session_id}")
    wallet.accept(session.credit(2_500, related_id=bet.transaction_id, round_id=bet.round_id))
    undone = wallet.bet(session, 3_000, round_id=f"undone {session.session_id}")
    wallet.accept(session.rollback(undone.transaction_id, round_id=undone.round_id))
    return str(session.session_id)


def told_of(row: dict[str, Any]) -> tuple[Any, ...]:
    names = ("events", "bets", "rolled_back_bets", "staked_minor", "rolled_back_minor", "paid_minor", "currency")
    return tuple(row[name] for name in names)


def test_a_session_is_folded_from_its_events(late: Tenant, wallet: Wallet) -> None:
    game_session = play(wallet)
    fold(late)
    (row,) = snapshots(late)
    assert told_of(row) == (4, 2, 1, 4_000, 3_000, 2_500, "USD")
    game = late.sql("select play_session_id from casino.game_sessions where session_id = %s", game_session)[0]
    assert row["session_id"] == str(game["play_session_id"] or game_session)
    times = [event["at"] for event in late.events()]
    assert (row["started_at"], row["last_at"], row["player_id"]) == (min(times), max(times), "1")


def test_what_is_folded_in_parts_is_what_is_made_anew(late: Tenant, wallet: Wallet) -> None:
    late.sql(IMPORTED, {"ledger": late.ledger_id, "tenant": late.tenant_id})
    play(wallet)
    fold(late)
    play(wallet)
    play(wallet, "2")
    late.sql(
        "update casino.session_folds set folded_to = now() - interval '1 day' where ledger_id = %s", late.ledger_id
    )
    late.sql("delete from casino.session_snapshots where ledger_id = %s and player_id <> 'old player'", late.ledger_id)
    fold(late)
    folded = snapshots(late)
    assert ("old session", (2, 1, 0, 70, 0, 30, "USD")) in [(row["session_id"], told_of(row)) for row in folded]
    late.sql(SET_CLOCK, LATER)
    assert late.sql(REBUILD, late.ledger_id) == [{"snapshots": len(folded)}]
    assert snapshots(late) == folded


def test_nothing_is_folded_twice_and_nothing_young(late: Tenant, wallet: Wallet) -> None:
    play(wallet)
    assert late.sql(FOLD, late.ledger_id) == [{"more": False}]
    assert snapshots(late) == [], "a transaction may commit after the time of its events"
    fold(late)
    before = snapshots(late)
    fold(late)
    assert snapshots(late) == before


def test_of_two_who_fold_one_folds_and_the_other_does_not_wait(late: Tenant, wallet: Wallet) -> None:
    play(wallet)
    with held_transaction(late) as held:
        held.execute(SET_CLOCK, (LATER,))
        held.execute(FOLD, (late.ledger_id,))
        late.sql(SET_CLOCK, LATER)
        late.sql("set lock_timeout = '100ms'")
        assert late.sql(FOLD, late.ledger_id) == [{"more": False}]
        held.commit()
    late.sql(SET_CLOCK, "")
    before = snapshots(late)
    fold(late)
    assert snapshots(late) == before


def test_a_session_whose_events_were_detached_stays(late: Tenant) -> None:
    late.sql(IMPORTED, {"ledger": late.ledger_id, "tenant": late.tenant_id})
    fold(late)
    before = snapshots(late)
    late.sql("delete from casino.ledger_events where ledger_id = %s and imported", late.ledger_id)
    late.sql("update casino.ledgers set events_since = '2021-01-01' where ledger_id = %s", late.ledger_id)
    late.sql(REBUILD, late.ledger_id)
    assert snapshots(late) == before


def test_a_login_is_told_with_its_play_session(tenant: Tenant) -> None:
    tenant.sql("update casino.tenants set region = 'north' where tenant_id = %s", tenant.tenant_id)
    tenant.set_wallet("1", agent_id="agent", cashier_id="cashier")
    login = "select casino.tell_login(%(ledger)s, '1', casino.begin_play_session(%(ledger)s, '1'))"
    for _ in range(2):
        tenant.sql(login, {"ledger": tenant.ledger_id})
    told = [row for row in tenant.rows("ledger_events") if row["event_type"] == "LOGIN"]
    (running,) = tenant.rows("play_sessions")
    assert {(row["session_id"], row["player_id"], row["tenant_id"], row["currency"]) for row in told} == {
        (str(running["play_session_id"]), "1", tenant.tenant_id, "USD")
    }
    assert {(row["region"], row["agent_id"], row["cashier_id"]) for row in told} == {("north", "agent", "cashier")}
    assert len({row["action_id"] for row in told}) == 2
