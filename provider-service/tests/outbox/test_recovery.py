"""The outbox as a whole: what it sends, how often, and in several processes."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from provider.outbox.backoff import JITTER_SHARE
from provider_testing.abandoned_rounds import plant_abandoned_rounds
from provider_testing.books import require_agreement
from provider_testing.deadlines import Deadlines
from provider_testing.fake_wallet import Exchange, FakeWallet
from provider_testing.process import PATIENT_PROVIDER, ProviderProcess, environment
from provider_testing.service import CASINO_KEY, end_leases, pending, rows, serving, settled
from provider_testing.wallet_faults import after_work, answering, cut, stall
from shared_service_testing.waiting import until
from shared_signing.keys import Key

MANY = 60
OFTEN = 10_000
FIRST_RETRY_SECONDS = 0.2


async def test_two_outboxes_send_every_rollback_once(database_url: str, owner_url: str, wallet: FakeWallet) -> None:
    plant_abandoned_rounds(owner_url, MANY)

    async def slow(exchange: Exchange) -> None:
        await asyncio.sleep(0.05)
        await exchange.send(exchange.execute())

    wallet.plan("rollback", slow, times=MANY)

    async with serving(database_url, wallet), serving(database_url, wallet):
        await settled(owner_url)
    sent = Counter(call.members["transactionId"] for call in wallet.made("rollback"))
    assert len(sent) == MANY
    assert set(sent.values()) == {1}
    require_agreement(owner_url, wallet.model)


async def test_deliveries_under_way_are_bounded(database_url: str, owner_url: str, wallet: FakeWallet) -> None:
    plant_abandoned_rounds(owner_url, MANY)
    under_way: list[int] = [0, 0]
    several = asyncio.Event()

    async def slow(exchange: Exchange) -> None:
        under_way[0] += 1
        under_way[1] = max(under_way)
        if under_way[0] > 4:
            several.set()
        await several.wait()
        await asyncio.sleep(0.05)
        under_way[0] -= 1
        await exchange.send(exchange.execute())

    wallet.plan("rollback", slow, times=MANY)

    async with serving(database_url, wallet):
        await settled(owner_url)
    assert 4 < under_way[1] <= 16


async def test_recovery_begins_within_seconds_of_the_start(
    database_url: str, owner_url: str, wallet: FakeWallet, tmp_path: Path
) -> None:
    plant_abandoned_rounds(owner_url, 1)
    with ProviderProcess(database_url, wallet.url, tmp_path / "log", PROVIDER_OUTBOX_INTERVAL_SECONDS="60"):
        started = time.monotonic()
        await settled(owner_url)
        assert time.monotonic() - started < 40, "it waited for its interval"


async def test_a_dead_wallet_is_asked_less_and_less_often_and_the_schedule_is_stored(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    plant_abandoned_rounds(owner_url, 1)
    wallet.plan("rollback", cut, times=OFTEN)

    async with serving(database_url, wallet, retry_first_seconds=FIRST_RETRY_SECONDS):
        await until(lambda: len(wallet.made("rollback")) >= 4)
    times = [made.at for made in wallet.made("rollback")]
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    for doubled, pause in enumerate(pauses[:3]):
        assert pause > FIRST_RETRY_SECONDS * 2**doubled * (1 - JITTER_SHARE) * 0.95
    row = rows(owner_url, "select deliveries, due_at - clock_timestamp() as left from provider.wallet_transactions"
               " where kind = 'rollback'")[0]  # fmt: skip
    assert row["deliveries"] == len(wallet.made("rollback"))
    assert row["left"].total_seconds() < 3


async def test_one_dead_session_does_not_hold_up_the_others(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    plant_abandoned_rounds(owner_url, 5)
    wallet.plan("rollback", stall)

    def left() -> int:
        return len([row for row in pending(owner_url) if row["kind"] == "rollback"])

    async with serving(database_url, wallet, call_seconds=120.0):
        await until(lambda: wallet.calls and left() == 1)
        wallet.forget_plans()
        assert len(wallet.made("rollback")) == 5


async def test_a_token_that_cannot_be_opened_stays_due_until_its_secret_is_back(
    database_url: str, owner_url: str, wallet: FakeWallet, logged: Any
) -> None:
    plant_abandoned_rounds(owner_url, 1)

    async with serving(database_url, wallet, casino_keys=(Key("main", b"another"),)):
        for looks in (1, 2):
            await until(lambda looks=looks: logged().count('"token_seal_broken"') >= looks)
            end_leases(owner_url)
    assert wallet.calls == []
    end_leases(owner_url)
    async with serving(database_url, wallet, casino_keys=(CASINO_KEY,)):
        await settled(owner_url)
    require_agreement(owner_url, wallet.model)


async def test_an_abandoned_round_with_a_payout_written_down_is_paid(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    wallet.plan("credit", cut, times=3)

    async with serving(database_url, wallet, retry_first_seconds=0.05) as provider:
        report = await provider.simulate()
        assert "unknown" in report["steps"][4]["problem"]
        await settled(owner_url)
    assert rows(owner_url, "select state from provider.rounds") == [{"state": "settled"}]
    assert wallet.model.payouts() == 2000
    require_agreement(owner_url, wallet.model)


async def test_a_script_that_runs_out_of_time_returns_its_bets(
    database_url: str, owner_url: str, wallet: FakeWallet, deadlines: Deadlines
) -> None:
    wallet.plan("rollback", stall)

    async with serving(database_url, wallet) as provider:
        playing = asyncio.create_task(provider.simulate())
        await until(wallet.reached.is_set)
        deadlines.of_rounds.pass_now()
        report = await playing
        wallet.forget_plans()
        end_leases(owner_url)
        await settled(owner_url)
    assert report["passed"] is False
    assert ["problem" in step for step in report["steps"][:4]] == [False, False, False, True]
    assert wallet.model.balance_minor == wallet.model.start_minor
    require_agreement(owner_url, wallet.model)


async def test_a_session_takes_no_round_while_its_rollback_is_open(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    wallet.plan("debit", after_work(cut))
    wallet.plan("rollback", cut, times=OFTEN)

    async with serving(database_url, wallet) as provider:
        session = await provider.launch()
        await provider.simulate(session)
        during = await provider.client.post("/provider/simulate", json=session)
        wallet.forget_plans()
        await settled(owner_url)
        after = await provider.client.post("/provider/simulate", json=session)
        assert [during.status_code, after.status_code] == [409, 200]
    require_agreement(owner_url, wallet.model)


@pytest.mark.parametrize(("broken", "status", "left"), [(False, 0, 0), (True, 1, 2)], ids=["heals", "stays away"])
def test_recovery_can_be_run_once_from_the_command_line(  # noqa: PLR0917 - fixtures
    database_url: str, owner_url: str, wallet: FakeWallet, broken: bool, status: int, left: int
) -> None:
    plant_abandoned_rounds(owner_url, 1)
    if broken:
        wallet.plan("rollback", answering(500, "internal"), times=1000)
    done = subprocess.run(
        [*PATIENT_PROVIDER, "recover-once"],
        env=environment(database_url, wallet.url),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.splitlines()[-1]) == (status, f"{left} transactions without a known end")


def close_database(owner_url: str, *, closed: bool) -> None:
    """Take the database away from everybody, or give it back."""
    server_url, _, name = owner_url.rpartition("/")
    with psycopg.connect(f"{server_url}/postgres", autocommit=True) as connection:
        statement = sql.SQL("alter database {} with allow_connections {}")
        connection.execute(statement.format(sql.Identifier(name), sql.Literal(not closed)))
        if closed:
            connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,))


@pytest.mark.usefixtures("own_patience")
@pytest.mark.parametrize("kind", ["debit", "rollback", "credit"])
async def test_a_database_that_goes_away_in_a_round_makes_its_outcome_unknown_and_recovery_ends_it(
    database_url: str, owner_url: str, wallet: FakeWallet, kind: str
) -> None:
    async def close_then_answer(exchange: Exchange) -> None:
        answer = exchange.execute()
        close_database(owner_url, closed=True)
        await exchange.send(answer)

    wallet.plan(kind, close_then_answer)

    async with serving(database_url, wallet) as provider:
        await provider.ready()
        session = await provider.launch()
        answer = await provider.client.post("/provider/simulate", json=session)
        close_database(owner_url, closed=False)
        end_leases(owner_url)
        await settled(owner_url)
        assert answer.status_code == 500
    require_agreement(owner_url, wallet.model)
    profit = wallet.model.balance_minor - wallet.model.start_minor
    assert profit == (1000 if kind == "credit" else 0)
