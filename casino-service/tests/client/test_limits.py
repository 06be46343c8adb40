"""How often a player's own client may call: exactly so often over all processes, and never a signed callback.

Row G2. Pitfall 20.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from casino.client.limits import PRUNE_PAGE, ClientLimits
from casino_testing.edge import Service, bet, payout, rollback, serving
from casino_testing.processes import databases
from casino_testing.service import settings_of
from casino_testing.tenant import SET_CLOCK, Tenant

BURST = 10
PER_SECOND = 5
NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
LAUNCH = {"userId": "1", "gameId": "1"}
LIMITS: dict[str, Any] = {"client_burst_calls": BURST, "client_calls_per_second": PER_SECOND}

Take = Callable[..., float | None]


@pytest.fixture
def take(tenant: Tenant) -> Iterator[Take]:
    """Takes a token over one of four connections, as so many processes would, at a time of the test's choosing."""
    tenant.make_clock_settable()
    with ExitStack() as opened:
        connections = [opened.enter_context(psycopg.connect(tenant.url, autocommit=True)) for _ in range(4)]
        for connection in connections:
            connection.execute("set role casino_app")

        def take_one(after_seconds: float = 0.0, *, process: int = 0, player_id: str = "1") -> float | None:
            connection = connections[process]
            moment = NOW + timedelta(seconds=after_seconds)
            connection.execute(SET_CLOCK, [moment.isoformat()])
            row = connection.execute(
                "select casino.take_client_token(%s, %s, %s, %s, %s)",
                [tenant.ledger_id, tenant.tenant_id, player_id, BURST, PER_SECOND],
            ).fetchone()
            assert row is not None
            return None if row[0] is None else float(row[0])

        yield take_one


def test_ten_calls_go_at_once_and_the_eleventh_is_told_how_long_to_wait(take: Take) -> None:
    assert [take(process=number % 4) for number in range(BURST)] == [0] * BURST
    assert take() == pytest.approx(1 / PER_SECOND)
    assert take(process=3) == pytest.approx(1 / PER_SECOND), "a refused call takes nothing"


@pytest.mark.parametrize("seed", range(2))
def test_over_four_processes_the_rate_is_what_is_set_to_the_call(take: Take, seed: int) -> None:
    chance = random.Random(seed)
    seconds = 30
    moments = sorted(chance.uniform(0, seconds) for _ in range(20 * PER_SECOND * seconds))
    accepted = [moment for moment in moments if take(moment, process=chance.randrange(4)) == 0]
    wanted = BURST + PER_SECOND * seconds
    assert 0.9 * wanted <= len(accepted) <= wanted
    for start in accepted:  # in no window, wherever its edges lie, more than a bucket and what it gained
        in_window = [moment for moment in accepted if start <= moment < start + 1.0]
        assert len(in_window) <= BURST + PER_SECOND


def test_waiting_as_told_is_enough_and_waiting_less_is_not(take: Take) -> None:
    for _ in range(BURST):
        take()
    wait = take()
    assert wait is not None
    assert take(wait - 0.001)
    assert take(wait) == 0
    assert take(wait)


def test_a_bucket_holds_no_more_than_its_burst_however_long_nobody_calls(take: Take) -> None:
    assert take() == 0
    assert [take(86_400.0) for _ in range(BURST)] == [0] * BURST
    assert take(86_400.0)


def test_a_process_whose_clock_is_behind_gains_nothing(take: Take) -> None:
    for _ in range(BURST):
        take(10.0)
    assert take(9.0, process=1) == pytest.approx(1.0 + 1 / PER_SECOND)
    assert take(10.0, process=2) == pytest.approx(1 / PER_SECOND)


def test_each_player_has_a_bucket_and_who_is_not_known_fills_no_table(take: Take, tenant: Tenant) -> None:
    for _ in range(BURST):
        take()
    assert take()
    assert take(player_id="2") == 0
    assert [take(player_id=f"nobody-{number}") for number in range(50)] == [None] * 50
    rows = tenant.sql("select player_id from casino.rate_buckets where tenant_id = %s", tenant.tenant_id)
    assert sorted(row["player_id"] for row in rows) == ["1", "2"]


async def test_full_buckets_and_ended_access_tokens_are_forgotten_a_page_at_a_time(tenant: Tenant) -> None:
    old, many = timedelta(hours=1), 2 * PRUNE_PAGE + 1
    for moment in (datetime.now(UTC) - old, datetime.now(UTC) + old):
        tenant.sql(
            "insert into casino.rate_buckets select %s, 'p' || %s || n, %s from generate_series(1, %s) as n",
            tenant.tenant_id, str(moment.timestamp()), moment, many,
        )  # fmt: skip
        tenant.sql(
            "insert into casino.access_token_fingerprints"
            " select %s, sha256((%s || n)::bytea), '', %s from generate_series(1, %s) as n",
            tenant.tenant_id, str(moment.timestamp()), moment, many,
        )  # fmt: skip
    async with databases(tenant, 1) as (database,):
        limits = ClientLimits(database, settings_of(tenant))
        await limits.prune()
        assert await limits.prune() == 0
    for table, column in (("rate_buckets", "full_at"), ("access_token_fingerprints", "expires_at")):
        (left,) = tenant.sql(
            f"select count(*) as rows, min({column}) > now() as due_later from casino.{table} where tenant_id = %s",
            tenant.tenant_id,
        )
        assert left == {"rows": many, "due_later": True}, "a bucket in use and a token that holds stay"


async def launch(service: Service, user_id: Any = "1", **headers: str) -> httpx.Response:
    return await service.anybody.post("/casino/launchGame", json={**LAUNCH, "userId": user_id}, headers=headers)


def empty_buckets(tenant: Tenant) -> None:
    """Empty every bucket for an hour, however slowly the calls come after that."""
    tenant.sql(
        "update casino.rate_buckets set full_at = now() + interval '1 hour' where tenant_id = %s", tenant.tenant_id
    )


def refusals(responses: list[httpx.Response]) -> list[httpx.Response]:
    assert {response.status_code for response in responses} <= {200, 201, 429}, [r.text for r in responses]
    return [response for response in responses if response.status_code == 429]


async def test_two_services_on_one_database_share_one_bucket_and_a_restart_does_not_fill_it(tenant: Tenant) -> None:
    slow = {"client_burst_calls": BURST, "client_calls_per_second": 1}
    started = time.monotonic()
    async with serving(tenant, **slow) as one, serving(tenant, **slow) as other:
        responses = list(await asyncio.gather(*(launch(service) for service in (one, other) for _ in range(15))))
    async with serving(tenant, **slow) as restarted:
        responses += [await launch(restarted) for _ in range(5)]
    refused = refusals(responses)
    refilled = time.monotonic() - started
    assert BURST <= len(responses) - len(refused) <= BURST + refilled
    for response in refused:
        assert response.json()["code"] == "rate_limited"
        assert 1 <= int(response.headers["retry-after"]) <= BURST


async def test_no_way_to_write_the_player_or_to_come_from_elsewhere_gives_another_bucket(tenant: Tenant) -> None:
    async with serving(tenant, client_burst_calls=3, client_calls_per_second=1) as service:
        assert (await launch(service)).status_code == 201
        empty_buckets(tenant)
        forwarded = [{"x-forwarded-for": f"203.0.113.{number}", "user-agent": f"agent {number}"} for number in range(6)]
        responses = [await launch(service, user_id, **headers) for user_id in ("1", 1) for headers in forwarded]
        spelled = [await launch(service, user_id) for user_id in ("01", "1 ", " 1", "+1", "1.0", "１")]
        simulated = await service.anybody.post("/casino/simulateRound", json=LAUNCH)
    assert {response.status_code for response in responses} == {429}
    assert {response.status_code for response in spelled} <= {400, 404}, "these are no players"
    assert simulated.status_code == 429, "both endpoints take from one bucket"


async def test_a_player_whose_client_is_limited_still_bets_wins_and_gets_bets_back(tenant: Tenant) -> None:
    async with serving(tenant, client_burst_calls=1, client_calls_per_second=1) as service:
        token = await service.launch()
        empty_buckets(tenant)
        assert refusals([await launch(service) for _ in range(5)])
        for number in range(30):
            placed, undone = bet(token, roundId=f"a{number}"), bet(token, roundId=f"b{number}")
            win = payout(token, placed["transactionId"], roundId=f"a{number}")
            back = rollback(token, undone["transactionId"], roundId=f"b{number}")
            calls = (("debit", placed), ("debit", undone), ("credit", win), ("rollback", back))
            statuses = [(await service.post(endpoint, content)).status_code for endpoint, content in calls]
            assert statuses == [200, 200, 200, 200]


async def test_a_request_that_is_refused_for_its_form_takes_no_token(tenant: Tenant) -> None:
    async with serving(tenant, client_burst_calls=1, client_calls_per_second=1) as service:
        for content in ({}, {"userId": "1"}, {**LAUNCH, "ipAddress": "x"}):
            assert (await service.anybody.post("/casino/launchGame", json=content)).status_code == 400
        assert (await launch(service)).status_code == 201
