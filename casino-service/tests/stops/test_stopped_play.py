"""While a stop holds, bets and launches are refused with its reason, in every process. Payouts and rollbacks land."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest

from casino_testing.edge import Service, bet, payout
from casino_testing.stops import MAKE, lift, make
from casino_testing.tenant import OPENING_BALANCE_MINOR, Row, Tenant
from casino_testing.wallet import Wallet, answer
from shared_service_testing.waiting import wait_until

ConnectWallet = Callable[[], Wallet]
REASON = "bare"
"""The worst of reasons: the detail of refusals from before there was a playerMessage."""


@pytest.fixture
def agent(tenant: Tenant) -> Iterator[Tenant]:
    """A tenant below the test's tenant, with the player `agent`."""
    own = Tenant(tenant.url, tenant_id=tenant.add_tenant_below("agent"), ledger_id=tenant.ledger_id)
    own.open_player("agent")
    yield own
    own.close()


def test_a_stop_refuses_bets_in_its_tenant_and_below_in_every_process(
    connect_wallet: ConnectWallet, tenant: Tenant, agent: Tenant
) -> None:
    processes = [connect_wallet(), connect_wallet()]
    sessions = [(process, process.open_session(player)) for process in processes for player in ("1", "agent")]
    stop = make(tenant, reason=REASON)
    refused = [(process, session.debit()) for process, session in sessions]
    assert [process.refuse(command) for process, command in refused] == ["play_stopped"] * 4
    for process, command in refused:
        first, again = process.run(command), process.run(command)
        assert (again.replay, answer(command, again)) == (True, answer(command, first))
        assert f'"error":"{REASON}"'.encode() in answer(command, first)[1]
        assert b'"playerMessage"' in answer(command, first)[1]
    lift(tenant, stop)
    for process, session in sessions:
        process.bet(session, round_id=session.token)
    process, command = refused[0]
    assert process.run(command).code == "play_stopped", "it is remembered"
    assert tenant.balance("agent") == OPENING_BALANCE_MINOR - 2_000


@pytest.mark.parametrize(
    ("scope", "target", "game_ids"),
    [("provider", "acme", {"3", "4"}), ("game", "SLOTS_001", {"1"}), ("player", "1", {"1", "2", "3", "4"})],
)
def test_a_stop_of_a_provider_a_game_or_a_player_stops_nothing_else(
    wallet: Wallet, tenant: Tenant, scope: str, target: str, game_ids: set[str]
) -> None:
    tenant.add_games_of("acme")
    sessions = {game_id: wallet.open_session(game_id=game_id) for game_id in ("1", "2", "3", "4")}
    assert make(tenant, scope, target)["o_code"] is None
    codes = {
        game_id: wallet.run(session.debit(round_id=f"round of {game_id}")).code for game_id, session in sessions.items()
    }
    assert codes == {game_id: "play_stopped" if game_id in game_ids else None for game_id in sessions}
    assert wallet.run(wallet.open_session("2", game_id="2").debit()).code is None


def test_payouts_and_rollbacks_land_while_play_is_stopped(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    won, undone = wallet.bet(session, round_id="won"), wallet.bet(session, round_id="undone")
    make(tenant)
    wallet.accept(session.credit(5_000, related_id=won.transaction_id, round_id="won"))
    wallet.accept(session.rollback(undone.transaction_id, round_id="undone"))
    assert tenant.balance() == OPENING_BALANCE_MINOR + 4_000


async def test_over_http_the_error_is_the_reason_of_the_stop(service: Service) -> None:
    token = await service.launch()
    placed = bet(token)
    await service.post("debit", placed)
    make(service.tenant, reason="An inspection until noon")
    refused = await service.post("debit", bet(token))
    launch = await service.anybody.post("/casino/launchGame", json={"userId": "1", "gameId": "1"})
    for response in (refused, launch):
        content = response.json()
        assert response.status_code == 423
        assert (content["code"], content["error"]) == ("play_stopped", "An inspection until noon")
        assert content["playerMessage"] == "Play is stopped for now."
    assert (await service.post("credit", payout(token, placed["transactionId"]))).status_code == 200


async def test_a_launch_of_what_is_not_stopped_goes_on(service: Service) -> None:
    make(service.tenant, "game", "CRASH_001")
    stopped = await service.anybody.post("/casino/launchGame", json={"userId": "1", "gameId": "2"})
    assert (stopped.status_code, stopped.json()["error"]) == (423, "a reason")
    await service.launch()


def test_whatever_is_judged_after_the_stops_commit_is_refused(connect_wallet: ConnectWallet, tenant: Tenant) -> None:
    """A bet that waited for its wallet while the stop was made."""
    wallet, other = connect_wallet(), connect_wallet()
    session = wallet.open_session()
    before = session.debit(round_id="before")
    with psycopg.connect(tenant.url) as connection:
        values = {"ledger": tenant.ledger_id, "scope_of": tenant.tenant_id, "tenant": tenant.tenant_id}
        connection.execute(MAKE, {**values, "scope": "all", "target": None, "reason": "x"})
        wallet.accept(before)
    assert other.refuse(session.debit(round_id="after")) == "play_stopped"


def test_two_changes_of_stops_at_once_leave_the_flag_right(tenant: Tenant, agent: Tenant) -> None:
    """One ends its stop while another makes one, in trees that share a tenant."""
    stop = make(tenant)
    made: list[Row] = []
    with psycopg.connect(tenant.url) as connection:
        connection.execute(
            "select gone.* from casino.see_tenant(%s, %s) as seen, casino.lift_stop(%s, %s) as gone"
            " where seen is not null",
            [tenant.ledger_id, tenant.tenant_id, tenant.ledger_id, stop["o_stop_id"]],
        )
        maker = threading.Thread(target=lambda: made.append(make(agent)))
        maker.start()
        waiting = "select count(*) = 1 as is from pg_locks where locktype = 'advisory' and not granted"
        wait_until(lambda: tenant.sql(waiting)[0]["is"], "the second change waits for the first")
    maker.join()
    flags = {row["tenant_id"]: row["has_stops"] for row in tenant.rows("tenants")}
    assert flags == {tenant.tenant_id: False, agent.tenant_id: True}
    assert made[0]["o_code"] is None
