"""Vouchers in SQL: what is charged, who may redeem, what locks, what goes back, and who wins a race."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from casino_testing.agent import FUNDS_MINOR, Agent, Voucher
from casino_testing.tenant import Tenant

NOW = datetime(2026, 3, 1, tzinfo=UTC)
REFUSED = "INVALID_OR_USED_VOUCHER"
OVER = "OVER"
RACES = 12


def at_once(*steps: Callable[[], Any]) -> list[Any]:
    """Run steps in threads that begin together; returns what each returned."""
    barrier, results = threading.Barrier(len(steps)), [None] * len(steps)

    def run(place: int, step: Callable[[], Any]) -> None:
        barrier.wait()
        results[place] = step()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(steps)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.fixture
def settable(own_database: str) -> Iterator[Tenant]:
    """A tenant whose clock tests set."""
    tenant = Tenant.demo(own_database)
    tenant.make_clock_settable()
    yield tenant
    tenant.close()


def test_a_voucher_is_charged_up_front_with_its_bonus(tenant: Tenant) -> None:
    agent = Agent.below(tenant, bonus_bp=3_333)
    said, _ = agent.ask(3, 1_001)
    assert (said["o_code"], said["o_bonus_minor"]) == (None, 333)
    assert said["o_balance_minor"] == agent.balance() == FUNDS_MINOR - 3 * 1_334
    assert agent.owed() == {"voucher_liability": 3_003, "bonus_liability": 999}
    told = [row for row in tenant.rows("ledger_events") if row["event_type"] == "VOUCHER_ISSUED"]
    assert [(row["amount_minor"], row["agent_id"], row["cashier_id"], row["player_id"]) for row in told] == [
        (1_334, agent.agent_id, "cashier-1", None)
    ] * 3
    assert tenant.differences() == []


def test_a_batch_is_issued_whole_or_not_at_all(tenant: Tenant) -> None:
    agent = Agent.below(tenant, bonus_bp=10_000, funds_minor=5_999)
    before = tenant.money_rows()
    assert agent.ask(3, 1_000)[0]["o_code"] == "INSUFFICIENT_AGENT_FUNDS"
    assert (tenant.money_rows(), agent.states()) == (before, [])
    assert agent.ask(2, 1_000)[0]["o_balance_minor"] == 1_999


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("update casino.tenants set tenant_type = 'OPERATOR' where tenant_id = %s", "INVALID_AGENT"),
        ("update casino.tenants set status = 'SUSPENDED' where tenant_id = %s", "INVALID_AGENT"),
        ("update casino.tenants set is_open = false where tenant_id = %s", "TENANT_NOT_ACTIVE"),
    ],
)
def test_who_is_no_active_agent_issues_nothing(tenant: Tenant, change: str, code: str) -> None:
    agent = Agent.below(tenant)
    tenant.sql(change, agent.agent_id)
    assert agent.ask()[0]["o_code"] == code
    assert agent.states() == []


def test_an_agent_that_the_caller_does_not_see_is_no_agent(tenant: Tenant) -> None:
    agent, other = Agent.below(tenant), Agent.below(tenant)
    assert agent.ask(agent=other.agent_id)[0]["o_code"] == "INVALID_AGENT"
    assert agent.ask(agent="nobody")[0]["o_code"] == "INVALID_AGENT"


@pytest.mark.parametrize(
    ("ahead", "code"),
    [
        (timedelta(seconds=1), None),
        (timedelta(milliseconds=999), "INVALID_FIELD"),
        (timedelta(days=365), None),
        (timedelta(days=366), "INVALID_FIELD"),
    ],
)
def test_a_voucher_expires_within_a_year(settable: Tenant, ahead: timedelta, code: str | None) -> None:
    agent = Agent.below(settable)
    assert agent.ask(expires_at=NOW + ahead, now=NOW)[0]["o_code"] == code


def test_redeeming_makes_a_player_with_the_amount(tenant: Tenant) -> None:
    agent = Agent.below(tenant)
    (voucher,) = agent.issue(amount=700)
    assert agent.attempt(voucher) is None
    said = agent.redeem(voucher, player_id="winner")
    assert (said["o_code"], said["o_tenant_id"], said["o_balance_minor"]) == (None, agent.agent_id, 700)
    assert tenant.balance("winner") == 700
    assert agent.owed() == {}
    (told,) = [row for row in tenant.rows("ledger_events") if row["event_type"] == "VOUCHER_REDEEMED"]
    assert (told["player_id"], told["amount_minor"]) == ("winner", 700)
    assert (told["agent_id"], told["cashier_id"]) == (agent.agent_id, "cashier-1")
    assert agent.attempt(voucher) == OVER
    assert agent.redeem(voucher)["o_code"] == REFUSED
    assert agent.void(voucher) == "VOUCHER_NOT_NEW"
    assert tenant.differences() == []


def test_what_is_unknown_void_or_expired_is_refused_at_the_instant(settable: Tenant) -> None:
    agent = Agent.below(settable)
    void, late = agent.issue(2, expires_at=NOW + timedelta(seconds=5), now=NOW)
    assert agent.void(void, now=NOW) is None
    assert agent.attempt(Voucher("unknown"), now=NOW) == REFUSED
    assert agent.redeem(Voucher("unknown"), now=NOW)["o_code"] == REFUSED
    for voucher, now in ((void, NOW), (late, NOW + timedelta(seconds=5))):
        assert agent.attempt(voucher, now=now) == OVER
        assert agent.redeem(voucher, now=now)["o_code"] == REFUSED
    assert agent.void(late, now=NOW + timedelta(seconds=5)) == "VOUCHER_NOT_NEW"
    assert agent.attempt(late, now=NOW + timedelta(seconds=4)) is None


def test_in_a_suspended_tenant_nothing_is_redeemed(tenant: Tenant) -> None:
    agent = Agent.below(tenant)
    (voucher,) = agent.issue()
    tenant.set_tenant(status="SUSPENDED")
    assert agent.redeem(voucher)["o_code"] == "TENANT_NOT_ACTIVE"
    tenant.set_tenant(status="ACTIVE")
    assert agent.redeem(voucher)["o_code"] is None


def test_five_wrong_pins_lock_a_voucher_for_a_quarter_of_an_hour(settable: Tenant) -> None:
    agent = Agent.below(settable)
    (voucher,) = agent.issue(now=NOW)
    for number in range(4):
        assert agent.attempt(voucher, pin=b"wrong", address=f"192.0.2.{number}", now=NOW) == REFUSED
    assert agent.attempt(voucher, now=NOW) is None
    assert agent.attempt(voucher, pin=b"wrong", now=NOW) == REFUSED
    assert agent.attempt(voucher, now=NOW) == REFUSED, "locked, whatever the address"
    later = NOW + timedelta(minutes=15)
    assert agent.attempt(voucher, now=later - timedelta(seconds=1)) == REFUSED
    assert agent.attempt(voucher, now=later) is None, "tries while it was locked lock no longer"


def test_an_address_has_twenty_tries_a_minute(settable: Tenant) -> None:
    agent = Agent.below(settable)
    (voucher,) = agent.issue(now=NOW)
    for second in range(20):
        now = NOW + timedelta(seconds=second)
        assert agent.attempt(Voucher("x"), address=f"2001:db8::{second:x}", now=now) == REFUSED
    now = NOW + timedelta(seconds=20)
    assert agent.attempt(voucher, address="2001:db8::ffff", now=now) == "RATE_LIMITED", "a /64 counts as one"
    assert agent.attempt(voucher, address="2001:db8:0:1::1", now=now) is None
    assert agent.attempt(voucher, address="2001:db8::1", now=NOW + timedelta(minutes=1)) is None


def test_void_and_expiry_return_amount_and_bonus(settable: Tenant) -> None:
    agent, other = Agent.below(settable, bonus_bp=5_000), Agent.below(settable, bonus_bp=1)
    void, *_ = agent.issue(3, expires_at=NOW + timedelta(hours=1), now=NOW)
    other.issue(2, 10_000, expires_at=NOW + timedelta(hours=1), now=NOW)
    kept = agent.issue(now=NOW)
    assert agent.void(void, now=NOW) is None
    assert agent.void(void, now=NOW) == "VOUCHER_NOT_NEW"
    assert agent.void(kept[0], now=NOW, sees=other.agent_id) == "NOT_FOUND"
    later = NOW + timedelta(hours=1)
    assert agent.expire(now=later - timedelta(milliseconds=1)) == 5, "slips are forgotten, nothing expires"
    assert agent.expire(limit=3, now=later) == 3
    assert agent.expire(limit=3, now=later) == 1
    assert agent.states() == ["EXPIRED"] * 4 + ["NEW", "VOID"]
    assert (agent.balance(), other.balance()) == (FUNDS_MINOR - 1_500, FUNDS_MINOR)
    assert agent.owed() == {"voucher_liability": 1_000, "bonus_liability": 500}
    told = sorted(row["event_type"] for row in settable.rows("ledger_events") if row["agent_id"])
    assert told == ["VOUCHER_EXPIRED"] * 4 + ["VOUCHER_ISSUED"] * 6 + ["VOUCHER_VOIDED"]
    assert settable.differences() == []


def test_of_two_that_redeem_one_wins(tenant: Tenant) -> None:
    agent = Agent.below(tenant)
    for voucher in agent.issue(RACES):
        said = at_once(*[lambda voucher=voucher: agent.redeem(voucher)] * 3)
        assert sorted(str(each["o_code"]) for each in said) == [REFUSED, REFUSED, "None"]
    assert agent.states() == ["USED"] * RACES
    assert tenant.differences() == []


def test_void_and_redeem_have_one_winner(tenant: Tenant) -> None:
    agent = Agent.below(tenant)
    for voucher in agent.issue(RACES):
        voided, redeemed = at_once(lambda v=voucher: agent.void(v), lambda v=voucher: agent.redeem(v)["o_code"])
        assert (voided, redeemed) in {(None, REFUSED), ("VOUCHER_NOT_NEW", None)}
    used = agent.states().count("USED")
    assert agent.balance() == FUNDS_MINOR - 1_000 * used
    assert agent.owed() == {}
    assert tenant.differences() == []


def test_expiry_and_redeem_have_one_winner(settable: Tenant) -> None:
    """The clock of one connection stands before the end, that of two others behind it."""
    agent = Agent.below(settable)
    end = NOW + timedelta(hours=1)
    for _ in range(RACES):
        (voucher,) = agent.issue(expires_at=end, now=NOW)
        before = agent.states().count("USED")
        code, *_ = at_once(
            lambda v=voucher: agent.redeem(v, now=NOW)["o_code"],
            lambda: agent.expire(now=end),
            lambda: agent.expire(now=end),
        )
        agent.expire(now=end)
        assert agent.states().count("USED") == before + (code is None)
    assert set(agent.states()) <= {"USED", "EXPIRED"}
    assert agent.balance() == FUNDS_MINOR - 1_000 * agent.states().count("USED")
    assert agent.owed() == {}
    assert settable.differences() == []


def test_the_last_money_of_a_float_is_spent_once(tenant: Tenant) -> None:
    for _ in range(RACES):
        agent = Agent.below(tenant, funds_minor=1_500)
        said = at_once(*[lambda agent=agent: agent.ask(1, 1_000)[0]["o_code"]] * 3)
        assert sorted(map(str, said)) == ["INSUFFICIENT_AGENT_FUNDS"] * 2 + ["None"]
        assert agent.balance() == 500
    assert tenant.differences() == []


def test_wrong_pins_at_once_are_all_counted(tenant: Tenant) -> None:
    agent = Agent.below(tenant)
    (voucher,) = agent.issue()
    at_once(
        *[lambda number=number: agent.attempt(voucher, pin=b"no", address=f"192.0.2.{number}") for number in range(5)]
    )
    assert agent.attempt(voucher) == REFUSED
