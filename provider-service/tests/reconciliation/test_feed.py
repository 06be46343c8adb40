"""The wallet's feed: a hostile page is refused, an unavailable wallet is retried."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from provider.reconciliation import feed
from provider_testing.fake_wallet import Exchange, FakeWallet
from provider_testing.reconciling import play, reconciled
from provider_testing.service import rows
from provider_testing.wallet_faults import answering, cut, endless_body, html, redirect, spoiling

ROW = {
    "transactionId": "a9429bb3-9f71-4497-9fa4-f5f7592a46af",
    "userId": "1",
    "roundId": "r",
    "type": "debit",
    "amount": 1000,
    "currency": "USD",
    "state": "committed",
    "balanceAfter": "5",
}


def telling(content: Any, *, signed: str = "good", status: int = 200) -> Callable[[Exchange], Awaitable[None]]:
    async def fault(exchange: Exchange) -> None:
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        await exchange.send_bytes(status, raw, signed=signed)

    return fault


def page_of(*page: Any, after: str = "1") -> dict[str, Any]:
    return {"transactions": list(page), "next": after}


HOSTILE: dict[str, Any] = {
    "a page of HTML": html,
    "no list": telling({"transactions": {}, "next": "1"}),
    "no cursor": telling({"transactions": []}),
    "an empty page that goes on": telling(page_of()),
    "more rows than asked for": telling(page_of(*[ROW] * 1001)),
    "a key twice": telling(b'{"transactions": [], "transactions": [], "next": "0"}'),
    "an endless body": endless_body,
    "a body over its bound": telling(b" " * (feed.PAGE_MAX_BYTES + 1)),
    "not found": telling({"code": "not_found"}, status=404),
}


async def test_a_hostile_page_is_refused_and_ends_the_run(
    database_url: str, wallet: FakeWallet, logged: Callable[[], str]
) -> None:
    """Row B11 for the feed. A single bad row is a difference and broken cursors are refused: test_hostile_rows.py."""
    for number, (wrong, fault) in enumerate(HOSTILE.items(), 1):
        wallet.forget_plans()
        wallet.plan("transactions", fault, times=50)
        report = await reconciled(database_url, wallet)
        assert (report["exitStatus"], report["failure"]) == (2, "feed_refused"), wrong
        told = [json.loads(line) for line in logged().splitlines() if "reconciliation_stopped" in line]
        assert (told[-1]["level"], told[-1]["code"], told[-1]["run_id"]) == ("error", "feed_refused", report["runId"])
        assert len(told) == number
        assert len(wallet.made("transactions")) == number, f"asked again: {wrong}"


AWAY: dict[str, Any] = {
    "cut": cut,
    "unsigned": spoiling(signed="missing"),
    "badly signed": spoiling(signed="bad"),
    "a redirect": redirect,
    "a signed 500": answering(500, "internal"),
    "a signed 503": answering(503, "overloaded"),
    "an unsigned 404": answering(404, "not_found", signed="missing"),
}


async def test_a_wallet_that_is_away_is_asked_a_few_times_and_then_the_run_cannot_finish(
    database_url: str, owner_url: str, wallet: FakeWallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "WAIT_MAX_SECONDS", 0.01)
    monkeypatch.setattr(feed.Feed.__init__, "__kwdefaults__", {"first_wait_seconds": 0.001})
    for number, (how, fault) in enumerate(AWAY.items(), 1):
        wallet.forget_plans()
        wallet.plan("transactions", fault, times=50)
        report = await reconciled(database_url, wallet)
        assert (report["exitStatus"], report["failure"]) == (2, "wallet_away"), how
        assert len(wallet.made("transactions")) == number * 5, how
    assert rows(owner_url, "select provider.open_differences() as open") == [{"open": 0}]


async def test_a_short_outage_in_the_middle_is_waited_out(database_url: str, wallet: FakeWallet) -> None:
    await play(database_url, wallet)
    wallet.plan("transactions", cut, skip=1)
    wallet.plan("transactions", answering(503, "overloaded"))
    assert (await reconciled(database_url, wallet))["exitStatus"] == 0


async def test_a_wallet_whose_clock_is_off_is_asked_again_with_its_time(database_url: str) -> None:
    with FakeWallet(clock=lambda: time.time() + 300) as wallet:
        assert (await reconciled(database_url, wallet))["exitStatus"] == 0
