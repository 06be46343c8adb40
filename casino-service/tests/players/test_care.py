"""Frozen, excluded, closed and erased players: what is refused at once, what still arrives, what nobody can undo."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from casino_testing.bonuses import promise
from casino_testing.desk import Desk
from casino_testing.tenant import OPENING_BALANCE_MINOR, SET_CLOCK, Tenant
from casino_testing.wallet import Session, Wallet

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
SOON = timedelta(seconds=1)


def exclude(desk: Desk, period: str, player_id: str = "1") -> tuple[Any, ...]:
    row = desk.call("exclude_player", player_id, period, "why", "player", player_id)
    return row["o_code"], row["o_until"], row["o_is_longer"]


def status(tenant: Tenant, player_id: str = "1") -> str:
    (found,) = [row["status"] for row in tenant.rows("players") if row["player_id"] == player_id]
    return str(found)


@pytest.mark.parametrize(
    ("period", "until"),
    [
        ("P7D", NOON + timedelta(days=7)),
        ("P1M", datetime(2026, 2, 28, 12, tzinfo=UTC)),
        ("P6M", datetime(2026, 7, 31, 12, tzinfo=UTC)),
        ("PERMANENT", None),
    ],
)
def test_an_exclusion_ends_after_its_period(tenant: Tenant, desk: Desk, period: str, until: datetime | None) -> None:
    tenant.make_clock_settable()
    desk._connection.execute(SET_CLOCK, [NOON.isoformat()])  # type: ignore[call-overload]
    assert exclude(desk, period) == (None, until, True)
    assert exclude(desk, "P7D") == (None, until, False)
    asked = "select count(*) as times from casino.player_exclusions where ledger_id = %s"
    assert tenant.sql(asked, tenant.ledger_id) == [{"times": 2}]


def test_an_exclusion_holds_at_the_next_bet_and_wins_still_arrive(tenant: Tenant, desk: Desk, wallet: Wallet) -> None:
    session = wallet.open_session()
    bet = wallet.bet(session)
    exclude(desk, "P7D")
    assert wallet.refuse(session.debit()) == "player_excluded"
    wallet.accept(session.credit(5_000, related_id=bet.transaction_id))
    assert tenant.balance() == OPENING_BALANCE_MINOR + 4_000


def test_a_wish_that_ends_less_than_an_hour_later_is_the_same_again(tenant: Tenant, desk: Desk) -> None:
    """Red before: each repeated wish was a longer exclusion by what had passed since the one before, and told again."""
    tenant.make_clock_settable()

    def exclude_at(now: datetime) -> Any:
        desk._connection.execute(SET_CLOCK, [now.isoformat()])  # type: ignore[call-overload]
        row = desk.call("exclude_player", "1", "P7D", None, "player", "1")
        return row["o_until"], row["o_is_longer"], row["o_was_excluded"], row["o_before"]

    hour, week = timedelta(hours=1), timedelta(days=7)
    assert exclude_at(NOON) == (NOON + week, True, False, None)
    assert exclude_at(NOON + hour - timedelta(microseconds=1)) == (NOON + week, False, True, NOON + week)
    assert exclude_at(NOON + hour) == (NOON + hour + week, True, True, NOON + week)
    over = NOON + hour + week
    assert exclude_at(over) == (over + week, True, False, None), "the one before is over"
    assert tenant.wallet()["excluded_until"] == over + week
    assert [row["period"] for row in tenant.rows("player_exclusions")] == ["P7D"] * 4


def test_nobody_shortens_an_exclusion(tenant: Tenant, desk: Desk) -> None:
    exclude(desk, "PERMANENT")
    for period in ("P7D", "P1M", "P6M"):
        assert exclude(desk, period) == (None, None, False)
    assert desk.value("freeze_player", "1", True) is None
    assert desk.value("freeze_player", "1", False) is None
    assert tenant.sql("select excluded_until = 'infinity' as ever from casino.wallets where ledger_id = %s"
                      " and player_id = '1'", tenant.ledger_id) == [{"ever": True}]  # fmt: skip


def test_a_frozen_player_does_not_bet_until_unfrozen(tenant: Tenant, desk: Desk, wallet: Wallet) -> None:
    session = wallet.open_session()
    for _ in range(2):
        assert desk.value("freeze_player", "1", True) is None
    assert status(tenant) == "FROZEN"
    assert wallet.refuse(session.debit()) == "wallet_blocked"
    assert desk.value("freeze_player", "1", False) is None
    assert status(tenant) == "ACTIVE"
    wallet.bet(session)


def test_a_closed_player_has_no_session_and_no_way_back(tenant: Tenant, desk: Desk, wallet: Wallet) -> None:
    session = wallet.open_session()
    bet = wallet.bet(session)
    for _ in range(2):
        assert desk.call("close_player", "1", "why", "request")["o_code"] is None
    assert status(tenant) == "CLOSED"
    assert desk.value("freeze_player", "1", False) == "PLAYER_NOT_ACTIVE"
    assert wallet.refuse(session.debit()) == "session_expired"
    wallet.accept(session.rollback(bet.transaction_id))
    assert tenant.balance() == OPENING_BALANCE_MINOR


def test_money_of_a_closed_player_is_withdrawn_by_staff(tenant: Tenant, desk: Desk) -> None:
    desk.call("close_player", "1", "why", "request")
    assert desk.pay("WITHDRAW", OPENING_BALANCE_MINOR)["o_code"] is None
    assert tenant.balance() == 0


def test_erasing_severs_the_person_and_keeps_the_money_and_the_exclusion(
    tenant: Tenant, desk: Desk, wallet: Wallet
) -> None:
    wallet.open_session()
    tenant.sql(
        "update casino.game_sessions set client_address = '1.2.3.4', country = 'XX', fingerprint = 'x'"
        " where ledger_id = %s",
        tenant.ledger_id,
    )
    tenant.sql(
        "update casino.players set login_code_mac = 'x', pin_mac = 'y' where ledger_id = %s and player_id = '1'",
        tenant.ledger_id,
    )
    assert desk.value("erase_player", "1") == "PLAYER_NOT_EMPTY"
    exclude(desk, "PERMANENT")
    desk.pay("WITHDRAW", OPENING_BALANCE_MINOR)
    before = tenant.money_rows()
    for _ in range(2):
        assert desk.value("erase_player", "1") is None
    assert tenant.money_rows() == before
    (player,) = [row for row in tenant.rows("players") if row["player_id"] == "1"]
    assert (player["status"], player["login_code_mac"], player["pin_mac"]) == ("CLOSED", None, None)
    own = "select player_name, excluded_until = 'infinity' as ever from casino.wallets where wallet_id = %s"
    assert tenant.sql(own, player["wallet_id"]) == [{"player_name": "1", "ever": True}]
    kept = [(row["client_address"], row["country"], row["fingerprint"]) for row in tenant.rows("game_sessions")]
    assert kept == [(None, None, None)]


def test_an_open_bet_keeps_a_player_from_being_erased(tenant: Tenant, desk: Desk, wallet: Wallet) -> None:
    session = wallet.open_session()
    bet = wallet.bet(session)
    desk.pay("WITHDRAW", tenant.balance())
    assert desk.value("erase_player", "1") == "PLAYER_NOT_EMPTY"
    wallet.accept(session.credit(0, related_id=bet.transaction_id))
    assert desk.value("erase_player", "1") is None


def test_a_bonus_is_taken_back_once_and_by_closing(tenant: Tenant, desk: Desk) -> None:
    for player_id in ("1", "2"):
        promise(tenant, player_id, 500)
    assert desk.call("forfeit_player_bonus", "1", "why", "request")["o_forfeited_minor"] == 500
    assert desk.call("forfeit_player_bonus", "1", "why", "request")["o_code"] == "BONUS_NOT_PENDING"
    assert desk.call("close_player", "2", "why", "request")["o_forfeited_minor"] == 500
    assert tenant.balance(f"§tenant:{tenant.tenant_id}") == 1_000
    tenant.sql("select casino.move_house_money(%s, 'float_out', casino.float_of(%s, %s), 'x', 1000, 'x', 'x')",
               tenant.ledger_id, tenant.ledger_id, tenant.tenant_id)  # fmt: skip


def test_a_player_out_of_sight_is_not_there(tenant: Tenant) -> None:
    below = Desk(tenant, tenant.add_tenant_below("AGENT"))
    assert below.value("freeze_player", "1", True) == "NOT_FOUND"
    assert below.value("erase_player", "1") == "NOT_FOUND"
    assert below.call("close_player", "1", "why", "request")["o_code"] == "NOT_FOUND"
    assert below.call("forfeit_player_bonus", "1", "why", "request")["o_code"] == "NOT_FOUND"
    assert exclude(below, "P7D") == ("NOT_FOUND", None, None)
    assert below.value("ack_reality_check", "1") is None
    assert status(tenant) == "ACTIVE"
    below.close()


@pytest.mark.parametrize("code", ["wallet_blocked", "player_excluded"])
def test_after_a_freeze_or_an_exclusion_is_committed_no_bet_is_taken(
    tenant: Tenant, desk: Desk, connect_wallet: Callable[[], Wallet], code: str
) -> None:
    """Bets run meanwhile: those that are judged after the commit are refused."""
    wallet = connect_wallet()
    session = wallet.open_session()
    with ThreadPoolExecutor(1) as pool:
        bets = pool.submit(_bet_until_refused, wallet, session)
        if code == "wallet_blocked":
            assert desk.value("freeze_player", "1", True) is None
        else:
            assert exclude(desk, "P7D")[0] is None
        placed = tenant.balance()
        assert bets.result() == code
    assert tenant.balance() == placed


def _bet_until_refused(wallet: Wallet, session: Session) -> str:
    while True:
        (outcome,) = wallet.wait(wallet.ledger.execute([session.debit()]))
        if outcome is not None and outcome.code not in (None, "session_busy"):
            return str(outcome.code)
