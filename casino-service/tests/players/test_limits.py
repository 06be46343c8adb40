"""Limits that players set: a lower one holds at once, a higher one after a day and a second word, staff only lowers."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from casino_testing.desk import Desk
from casino_testing.tenant import SET_CLOCK, Row, Tenant

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
Clock = Callable[[datetime], None]


@pytest.fixture
def at(tenant: Tenant, desk: Desk) -> Clock:
    """Sets the clock of the desk."""
    tenant.make_clock_settable()

    def set_clock(now: datetime) -> None:
        desk._connection.execute(SET_CLOCK, [now.isoformat()])  # type: ignore[call-overload]

    set_clock(NOON)
    return set_clock


def wish(desk: Desk, value: int | None, *, period: str = "day", kind: str = "loss", staff: bool = False) -> Row:
    return desk.call("set_limit", "1", kind, period, value, staff, "staff" if staff else "player", "1")


def in_force(tenant: Tenant) -> dict[tuple[str, str], int | None]:
    rows = [row for row in tenant.rows("player_limits") if row["status"] == "ACTIVE"]
    return {(row["kind"], row["period"]): row["value"] for row in rows}


def confirm(desk: Desk, limit_id: Any) -> str | None:
    code = desk.call("confirm_limit", "1", limit_id)["o_code"]
    return None if code is None else str(code)


def test_a_first_and_a_lower_limit_hold_at_once(tenant: Tenant, desk: Desk, at: Clock) -> None:
    for value in (1_000, 400, 400, 0):
        row = wish(desk, value)
        assert (row["o_code"], row["o_status"], row["o_effective_at"]) == (None, "ACTIVE", NOON)
        assert in_force(tenant) == {("loss", "day"): value}


def test_a_closed_player_has_no_limits_to_set(tenant: Tenant, desk: Desk, at: Clock) -> None:
    wish(desk, 400)
    higher = wish(desk, 500)["o_limit_id"]
    desk.call("close_player", "1", "why", "request")
    for staff in (False, True):
        assert wish(desk, 1, staff=staff)["o_code"] == "PLAYER_NOT_ACTIVE"
    at(NOON + timedelta(hours=24))
    assert confirm(desk, higher) == "PLAYER_NOT_ACTIVE"
    assert in_force(tenant) == {("loss", "day"): 400}


def test_a_higher_limit_waits_a_day_and_asks_again(tenant: Tenant, desk: Desk, at: Clock) -> None:
    wish(desk, 400)
    row = wish(desk, 401)
    assert (row["o_status"], row["o_effective_at"]) == ("PENDING", NOON + timedelta(hours=24))
    at(NOON + timedelta(hours=24) - timedelta(microseconds=1))
    assert confirm(desk, row["o_limit_id"]) == "LIMIT_NOT_DUE"
    at(NOON + timedelta(hours=24))
    assert in_force(tenant) == {("loss", "day"): 400}
    assert confirm(desk, row["o_limit_id"]) is None
    assert confirm(desk, row["o_limit_id"]) is None
    assert in_force(tenant) == {("loss", "day"): 401}


def test_each_limit_that_comes_into_force_is_told(tenant: Tenant, desk: Desk, at: Clock) -> None:
    wish(desk, 400)
    limit_id = wish(desk, None)["o_limit_id"]
    at(NOON + timedelta(days=1))
    for _ in range(2):
        confirm(desk, limit_id)
    told = [row for row in tenant.rows("ledger_events") if row["event_type"] == "LIMIT_CHANGED"]
    assert sorted((row["at"], row["player_id"], row["amount_minor"], row["code"]) for row in told) == [
        (NOON, "1", 400, "loss day"), (NOON + timedelta(days=1), "1", 0, "loss day"),
    ]  # fmt: skip


def test_a_wish_can_be_confirmed_for_seven_days(tenant: Tenant, desk: Desk, at: Clock) -> None:
    wish(desk, 400)
    limit_id = wish(desk, 500)["o_limit_id"]
    at(NOON + timedelta(days=8, microseconds=1))
    assert confirm(desk, limit_id) == "NOT_FOUND"
    at(NOON + timedelta(days=8))
    assert confirm(desk, limit_id) is None


def test_a_limit_is_removed_like_one_that_is_raised(tenant: Tenant, desk: Desk, at: Clock) -> None:
    assert wish(desk, None)["o_code"] == "INVALID_FIELD"
    wish(desk, 400)
    limit_id = wish(desk, None)["o_limit_id"]
    assert in_force(tenant) == {("loss", "day"): 400}
    at(NOON + timedelta(days=1))
    assert confirm(desk, limit_id) is None
    assert in_force(tenant) == {("loss", "day"): None}
    assert wish(desk, 900)["o_status"] == "ACTIVE"


def test_a_new_wish_replaces_the_one_before(tenant: Tenant, desk: Desk, at: Clock) -> None:
    wish(desk, 400)
    first, second = wish(desk, 500)["o_limit_id"], wish(desk, 600)["o_limit_id"]
    at(NOON + timedelta(days=1))
    assert confirm(desk, first) == "NOT_FOUND"
    assert confirm(desk, second) is None
    assert in_force(tenant) == {("loss", "day"): 600}


@pytest.mark.parametrize("staff", [False, True])
def test_a_lower_limit_drops_what_was_wished_before(tenant: Tenant, desk: Desk, at: Clock, staff: bool) -> None:
    wish(desk, 400)
    limit_id = wish(desk, 500)["o_limit_id"]
    assert wish(desk, 300, staff=staff)["o_code"] is None
    at(NOON + timedelta(days=1))
    assert confirm(desk, limit_id) == "NOT_FOUND"
    assert in_force(tenant) == {("loss", "day"): 300}


def test_staff_only_lowers(tenant: Tenant, desk: Desk, at: Clock) -> None:
    assert wish(desk, 400, staff=True)["o_status"] == "ACTIVE"
    for value in (401, None):
        assert wish(desk, value, staff=True)["o_code"] == "LIMIT_MAY_ONLY_BE_LOWERED"
    assert in_force(tenant) == {("loss", "day"): 400}


@pytest.mark.parametrize(
    ("period", "value", "code"),
    [
        *(("day", 500, None), ("day", 501, "INVALID_FIELD"), ("week", 1_001, "INVALID_FIELD")),
        *(("month", 499, "INVALID_FIELD"), ("month", 500, None)),
    ],
)
def test_by_day_is_at_most_by_week_and_by_week_at_most_by_month(
    desk: Desk, at: Clock, period: str, value: int, code: str | None
) -> None:
    wish(desk, 1_000, period="month")
    wish(desk, 500, period="week")
    wish(desk, 10_000, kind="time")
    assert wish(desk, value, period=period)["o_code"] == code


def test_a_wish_is_compared_with_wishes_and_a_confirmation_with_what_holds(
    tenant: Tenant, desk: Desk, at: Clock
) -> None:
    wish(desk, 100, period="week")
    wish(desk, 100)
    week, day = wish(desk, 300, period="week")["o_limit_id"], wish(desk, 200)["o_limit_id"]
    at(NOON + timedelta(days=1))
    assert confirm(desk, day) == "INVALID_FIELD"
    assert confirm(desk, week) is None
    assert confirm(desk, day) is None
    assert in_force(tenant) == {("loss", "week"): 300, ("loss", "day"): 200}


def test_nobody_sets_or_confirms_a_limit_of_a_player_out_of_sight(tenant: Tenant, desk: Desk, at: Clock) -> None:
    wish(desk, 100)
    limit_id = wish(desk, 200)["o_limit_id"]
    at(NOON + timedelta(days=1))
    assert desk.call("confirm_limit", "2", limit_id)["o_code"] == "NOT_FOUND"
    assert confirm(desk, uuid.uuid4()) == "NOT_FOUND"
    below = Desk(tenant, tenant.add_tenant_below("AGENT"))
    assert wish(below, 10)["o_code"] == "NOT_FOUND"
    assert confirm(below, limit_id) == "NOT_FOUND"
    below.close()
