"""The wallet's health: what makes it degraded, down and well again, on a clock and a network of the test's own.

Pitfall 25: an outage that nobody is told of.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest

from provider.wallet_client.actions import Action, Step
from provider.wallet_client.health import (
    DOWN_CALLS,
    DOWN_SECONDS,
    QUIET_SECONDS,
    REPROBE_SECONDS,
    WINDOW_SECONDS,
    HealthReport,
    Status,
    WalletHealth,
)
from provider.wallet_client.messages import balance_call
from provider.wallet_client.outcomes import UNREACHABLE, Accepted, Called, Outcome, Refused, Unknown
from provider_testing.fake_wallet import FakeWallet
from provider_testing.scraping import OPS_URL
from provider_testing.service import serving

GOOD = Accepted(200, 1, False, False, {}, b"")
NO_FUNDS = Refused(402, "insufficient_balance", Action(402, Step.REFUSE), {})
SILENCE = Unknown(UNREACHABLE, "deadline")
FAILURE = Unknown(UNREACHABLE, "status 500 internal", 500)
EPOCH = 1_763_690_000.0


class Bench:
    """A wallet's health with time in the test's hands, and a wallet that answers inquiries as it is told to."""

    def __init__(self) -> None:
        self.now = 100.0
        self.ready: int | type[Exception] = 200
        self.inquiries: list[str] = []
        transport = httpx.MockTransport(self._answer)
        http = httpx.AsyncClient(transport=transport, base_url="http://wallet.test")
        self.health = WalletHealth(http, clock=lambda: EPOCH + self.now, monotonic=lambda: self.now)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        self.inquiries.append(f"{request.method} {request.url.path}")
        if isinstance(self.ready, int):
            return httpx.Response(self.ready, headers={"location": "http://elsewhere.test/"})
        raise self.ready("as told")

    def calls(self, outcome: Outcome, times: int = 1, *, every_seconds: float = 0.0) -> None:
        for _ in range(times):
            self.health.observe(balance_call(), Called(outcome, ()))
            self.now += every_seconds

    async def wait(self, seconds: float) -> None:
        """Let time pass, second by second, as the background loop sees it."""
        for _ in range(int(seconds)):
            self.now += 1.0
            await self.health.step()

    @property
    def report(self) -> HealthReport:
        return self.health.report()

    @property
    def status(self) -> Status:
        return self.health.report().status


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_wallet_that_accepts_and_refuses_is_healthy_since_the_start(bench: Bench) -> None:
    bench.calls(GOOD, 10)
    bench.calls(NO_FUNDS, 90)
    assert bench.report == HealthReport(Status.HEALTHY, EPOCH + 100.0, 0.0, 100)


async def test_a_healthy_wallet_with_traffic_is_not_asked_whether_it_is_ready(bench: Bench) -> None:
    for _ in range(30):
        bench.calls(GOOD)
        await bench.wait(1)
    assert bench.inquiries == []


@pytest.mark.parametrize(("errors", "status"), [(5, Status.HEALTHY), (6, Status.DEGRADED)])
def test_more_than_five_per_cent_of_errors_in_a_minute_are_degraded(bench: Bench, errors: int, status: Status) -> None:
    bench.calls(FAILURE, errors)
    bench.calls(GOOD, 100 - errors)
    assert (bench.status, bench.report.error_rate) == (status, errors / 100)


def test_a_degraded_wallet_stays_so_until_the_rate_is_clearly_lower(bench: Bench) -> None:
    bench.calls(FAILURE, 6)
    bench.calls(GOOD, 94)
    assert bench.status is Status.DEGRADED
    since = bench.report.since
    bench.calls(GOOD, 50)
    assert bench.report == HealthReport(Status.DEGRADED, since, 6 / 150, 150)
    bench.calls(GOOD, 100)
    assert bench.status is Status.HEALTHY


async def test_errors_are_forgotten_after_a_minute(bench: Bench) -> None:
    bench.calls(FAILURE, 2)
    bench.calls(GOOD)
    assert bench.status is Status.DEGRADED
    await bench.wait(WINDOW_SECONDS + 1)
    assert (bench.status, bench.report.calls, bench.report.error_rate) == (Status.HEALTHY, 0, 0.0)


async def test_calls_that_all_fail_make_it_down_although_it_says_it_is_ready(bench: Bench) -> None:
    bench.calls(GOOD, 5)
    bench.calls(FAILURE, DOWN_CALLS - 1)
    assert bench.status is Status.DEGRADED
    bench.now += DOWN_SECONDS
    bench.calls(FAILURE)
    assert bench.status is Status.DOWN
    await bench.wait(QUIET_SECONDS * 2)
    assert bench.inquiries
    assert bench.status is Status.DOWN
    bench.calls(GOOD)
    assert bench.status is Status.DEGRADED
    bench.calls(GOOD, 200)
    assert bench.status is Status.HEALTHY


def test_one_failed_call_is_not_an_outage(bench: Bench) -> None:
    bench.calls(SILENCE)
    bench.now += DOWN_SECONDS
    assert bench.status is Status.DEGRADED


def test_failures_of_an_hour_ago_do_not_count_with_the_one_of_now(bench: Bench) -> None:
    bench.calls(FAILURE, 10)
    bench.now += 3600
    bench.calls(FAILURE)
    assert bench.status is Status.DEGRADED


@pytest.mark.parametrize("answer", [503, 404, 302, httpx.ConnectError, httpx.ReadTimeout])
async def test_without_traffic_two_failed_inquiries_make_it_down_and_one_good_one_well(
    bench: Bench, answer: int | type[Exception]
) -> None:
    await bench.wait(1)
    assert bench.inquiries == ["GET /health/ready"]
    bench.ready = answer
    await bench.wait(QUIET_SECONDS + 1)
    assert bench.status is Status.HEALTHY, "one lost question is not an outage"
    await bench.wait(REPROBE_SECONDS + 1)
    down = bench.report
    assert (down.status, down.calls, down.error_rate) == (Status.DOWN, 0, 0.0)
    await bench.wait(30)
    assert bench.report.since == down.since, "since tells when it began"
    bench.ready = 200
    await bench.wait(REPROBE_SECONDS + 1)
    well = bench.report
    assert (well.status, well.since > down.since) == (Status.HEALTHY, True)


async def test_a_wallet_that_was_silent_and_says_it_is_ready_is_down_no_more(bench: Bench) -> None:
    bench.ready = httpx.ConnectError
    bench.calls(SILENCE, DOWN_CALLS + 1, every_seconds=DOWN_SECONDS)
    assert bench.status is Status.DOWN
    bench.ready = 200
    await bench.wait(QUIET_SECONDS)
    assert bench.status is Status.DEGRADED
    await bench.wait(WINDOW_SECONDS)
    assert bench.status is Status.HEALTHY


async def test_inquiries_are_bounded_whatever_happens(bench: Bench) -> None:
    await bench.wait(100)
    assert len(bench.inquiries) <= 100 / QUIET_SECONDS + 1
    bench.ready, bench.inquiries = httpx.ConnectError, []
    await bench.wait(100)
    assert len(bench.inquiries) <= 100 / REPROBE_SECONDS + 1


async def test_the_address_says_healthy_and_down_by_status_and_body(database_url: str) -> None:
    async def wallet_health(url: str, expected_status: int) -> dict[str, Any]:
        async with serving(database_url, wallet, casino_url=url) as provider:
            deadline = time.monotonic() + 60
            while (
                answer := await provider.client.get(f"{OPS_URL}/health/wallet", auth=None)
            ).status_code != expected_status:
                assert time.monotonic() < deadline, answer.text
                await asyncio.sleep(0.05)
            body: dict[str, Any] = answer.json()
            return body

    with FakeWallet() as wallet:
        body = await wallet_health(wallet.url, 200)
        healthy = body["casinos"]["JAQPOT"]
        assert (body["status"], healthy["errorRate"], healthy["calls"]) == ("healthy", 0.0, 0)
        body = await wallet_health("http://127.0.0.1:1", 503)
    assert set(body) == {"status", "since", "casinos"}
    assert list(body["casinos"]) == ["JAQPOT"]
    assert set(body["casinos"]["JAQPOT"]) == {"status", "since", "errorRate", "calls"}
    assert (body["status"], body["casinos"]["JAQPOT"]["calls"]) == ("down", 0)
    assert body["since"] == body["casinos"]["JAQPOT"]["since"]
    assert body["since"].endswith("Z")
