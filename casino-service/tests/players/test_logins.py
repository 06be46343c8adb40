"""A player's login and logout: one answer for every wrong one, the lock-out of staff, and tokens that end."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from casino_testing.desk import Desk
from casino_testing.tenant import SET_CLOCK, Row, Tenant
from casino_testing.wallet import Wallet

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
Clock = Callable[[datetime], None]


@pytest.fixture
def made(tenant: Tenant) -> str:
    """A player of the platform, whose code is `code` and whose PIN is `pin`."""
    tenant.sql(
        "select casino.create_player(%s, %s, 'p', 'code', 'pin', 'v', %s, 'cashier', 'USD')",
        tenant.ledger_id, tenant.tenant_id, tenant.tenant_id,
    )  # fmt: skip
    return "p"


@pytest.fixture
def at(tenant: Tenant, desk: Desk) -> Clock:
    tenant.make_clock_settable()
    return lambda now: desk._connection.execute(SET_CLOCK, [now.isoformat()]) and None  # type: ignore[call-overload]


def login(desk: Desk, code: str = "code", pin: str = "pin", *, address: str = "192.0.2.1") -> Row:
    return desk.call("login_player", code, code.encode(), pin.encode(), "request", address)


def enters(desk: Desk, issued_at: int) -> bool:
    with desk.transaction():
        return bool(desk.rows("enter_player", "p", issued_at))


def audits(tenant: Tenant) -> list[tuple[Any, ...]]:
    rows = [row for row in tenant.rows("audit_trail") if row["action"] == "player.login"]
    return [(row["outcome"], row["actor_kind"], row["subject"], row["tenant_id"]) for row in rows]


def test_a_login_begins_the_play_session(tenant: Tenant, desk: Desk, made: str) -> None:
    row = login(desk)
    assert (row["o_code"], row["o_player_id"], row["o_tenant_id"]) == (None, "p", tenant.tenant_id)
    assert row["o_bonus_ack_required"] is False
    assert abs(row["o_issued_at"] - time.time()) < 60
    assert [each["player_id"] for each in tenant.rows("play_sessions")] == ["p"]
    assert audits(tenant) == [("DONE", "player", "p", tenant.tenant_id)]


@pytest.mark.parametrize(("code", "pin"), [("code", "other"), ("other", "pin")])
def test_a_wrong_code_and_a_wrong_pin_answer_the_same(
    tenant: Tenant, desk: Desk, made: str, code: str, pin: str
) -> None:
    row = login(desk, code, pin)
    assert row["o_code"] == "INVALID_PLAYER_CREDENTIALS"
    assert {row[name] for name in ("o_player_id", "o_tenant_id", "o_issued_at", "o_locked_until")} == {None}
    assert tenant.rows("play_sessions") == []


def test_only_a_closed_player_cannot_log_in(tenant: Tenant, desk: Desk, made: str) -> None:
    tenant.set_wallet("p", excluded_until="infinity")
    desk.value("freeze_player", "p", True)
    assert login(desk)["o_code"] is None
    desk.call("close_player", "p", "why", "request")
    assert login(desk)["o_code"] == "INVALID_PLAYER_CREDENTIALS"


def test_five_refusals_lock_a_code_for_the_right_pin_too(desk: Desk, made: str, at: Clock) -> None:
    at(NOON)
    for number in range(5):
        assert login(desk, pin="x", address=f"192.0.2.{number}")["o_code"] == "INVALID_PLAYER_CREDENTIALS"
    row = login(desk)
    assert (row["o_code"], row["o_locked_until"]) == ("LOCKED", NOON + timedelta(minutes=1))
    at(NOON + timedelta(minutes=1))
    assert login(desk)["o_code"] is None


def test_a_code_that_is_not_there_is_locked_alike(desk: Desk, made: str) -> None:
    codes = [login(desk, "nobody's", address=f"192.0.2.{number}")["o_code"] for number in range(6)]
    assert codes == ["INVALID_PLAYER_CREDENTIALS"] * 5 + ["LOCKED"]


def test_thirty_refusals_a_minute_stop_an_address(desk: Desk, made: str, at: Clock) -> None:
    at(NOON)
    for number in range(30):
        login(desk, f"code {number}")
    row = login(desk)
    assert (row["o_code"], row["o_wait_seconds"]) == ("RATE_LIMITED", 60)
    assert login(desk, address="192.0.2.2")["o_code"] is None


def test_a_logout_ends_tokens_and_game_sessions_and_a_login_in_the_same_second_is_good(
    tenant: Tenant, desk: Desk, made: str, wallet: Wallet, at: Clock
) -> None:
    at(NOON)
    tenant.sql("update casino.players set is_ephemeral = false where ledger_id = %s", tenant.ledger_id)
    wallet.set_clock(NOON)
    issued = [login(desk)["o_issued_at"]]
    session = wallet.open_session("p")
    for _ in range(3):
        assert enters(desk, issued[-1])
        assert desk.value("logout_player", "p") is False
        assert not any(enters(desk, each) for each in issued)
        issued.append(login(desk)["o_issued_at"])
        assert enters(desk, issued[-1])
    assert issued == [int(NOON.timestamp()) + number for number in range(4)]
    assert wallet.refuse(session.debit()) == "session_expired"
    assert len([row for row in tenant.rows("play_sessions") if row["player_id"] == "p"]) == 1


def test_an_ephemeral_account_with_nothing_left_closes_at_logout(tenant: Tenant, desk: Desk, made: str) -> None:
    assert desk.value("logout_player", "p") is True
    assert login(desk)["o_code"] == "INVALID_PLAYER_CREDENTIALS"


@pytest.mark.parametrize("columns", [{"balance_minor": 1}, {"pending_bonus_minor": 1}])
def test_an_account_with_something_left_stays(tenant: Tenant, desk: Desk, made: str, columns: dict[str, int]) -> None:
    tenant.set_wallet("p", **columns)
    assert desk.value("logout_player", "p") is False
    tenant.set_wallet("p", **dict.fromkeys(columns, 0))


def end_play_sessions(desk: Desk, limit: int = 10) -> int:
    with desk.transaction():
        (row,) = desk.rows("end_play_sessions", "-infinity", "00000000-0000-0000-0000-000000000000", limit)
    return int(row["o_looked_at"])


def test_an_ephemeral_account_with_nothing_left_closes_when_its_play_session_ends(
    tenant: Tenant, desk: Desk, made: str, at: Clock
) -> None:
    at(NOON)
    login(desk)
    at(NOON + timedelta(hours=6) - timedelta(microseconds=1))
    assert end_play_sessions(desk) == 0
    at(NOON + timedelta(hours=6))
    assert end_play_sessions(desk) == 1
    (session,) = tenant.rows("play_sessions")
    assert session["ended_at"] == NOON + timedelta(hours=6)
    assert [row["status"] for row in tenant.rows("players") if row["player_id"] == "p"] == ["CLOSED"]
    assert end_play_sessions(desk) == 0


def test_a_play_session_ends_and_an_account_that_lasts_stays(tenant: Tenant, desk: Desk, at: Clock) -> None:
    tenant.sql("select casino.begin_play_session(%s, '1')", tenant.ledger_id)
    at(datetime.now(UTC) + timedelta(hours=7))
    assert end_play_sessions(desk) == 1
    assert {row["status"] for row in tenant.rows("players")} == {"ACTIVE"}


def test_a_reality_check_is_due_an_hour_after_the_last_one(tenant: Tenant, desk: Desk, made: str, at: Clock) -> None:
    assert desk.value("ack_reality_check", "p") is None
    at(NOON)
    login(desk)
    at(NOON + timedelta(minutes=90))
    assert desk.value("ack_reality_check", "p") == NOON + timedelta(minutes=150)
