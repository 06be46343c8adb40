"""Every lost or invalid answer, at every money call of a round, and its effect on both sides' books.

CI meets each kind at two of the calls, drawn by a seed; NIGHTLY=1 at every one, before the work and after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from provider_testing.books import require_agreement
from provider_testing.deadlines import Deadlines
from provider_testing.fake_wallet import FakeWallet, Fault
from provider_testing.service import rows, serving, settled
from provider_testing.wallet_faults import (
    after_work,
    answering,
    compressed,
    cut,
    endless_body,
    half_an_answer,
    html,
    nonsense,
    redirect,
    reset,
    spoiling,
    stall,
)
from shared_service_testing.sampling import IS_NIGHTLY, sampled
from shared_service_testing.waiting import until

LOST: dict[str, Fault] = {
    "cut": cut,
    "reset": reset,
    "half an answer": half_an_answer,
    "500": answering(500, "internal"),
    "unsigned 500": answering(500, "internal", signed="missing"),
    "502": answering(502, "operator_unreachable"),
    "504 of a proxy": answering(504, "gateway_timeout", signed="missing"),
    "html": html,
    "redirect": redirect,
    "endless body": endless_body,
    "nonsense": nonsense,
    "compressed": compressed,
    "unsigned refusal": answering(402, "insufficient_balance", signed="missing"),
    "refusal with a bad signature": answering(400, "bad_amount", signed="bad"),
    "418": answering(418, "teapot"),
}
SPOILT: dict[str, Fault] = {
    "unsigned": spoiling(signed="missing"),
    "bad signature": spoiling(signed="bad"),
    "negative balance": spoiling(balance="-47"),
    "balance as a number": spoiling(balance=1000),
    "balance with a point": spoiling(balance="10.0"),
    "huge balance": spoiling(balance="9" * 30),
    "another currency": spoiling(currency="EUR"),
    "another transaction": spoiling(transactionId="somebody-else"),
    "another status": spoiling(status="maybe"),
}


def every_second(some: Mapping[str, Fault], others: Mapping[str, Fault]) -> dict[str, Fault]:
    """The first, third, … of some and the second, fourth, … of the others: each kind of answer once."""
    return dict([*some.items()][::2] + [*others.items()][1::2])


BEFORE = {f"{name} before the work": fault for name, fault in LOST.items()}
AFTER = {f"{name} after the work": after_work(fault) for name, fault in LOST.items()}
FAULTS = SPOILT | (BEFORE | AFTER if IS_NIGHTLY else every_second(BEFORE, AFTER))

# Which call of the round meets the fault, and what the player has in the end, compared with the start.
CALLS = {
    "bet 1": ("debit", 0, 0),
    "bet 2": ("debit", 1, 0),
    "rollback of bet 2": ("rollback", 0, 0),
    "payout": ("credit", 0, 1000),
}


async def play(database_url: str, owner_url: str, wallet: FakeWallet, **changed: Any) -> dict[str, Any]:
    async with serving(database_url, wallet, **changed) as provider:
        report = await provider.simulate()
        await settled(owner_url)
        return report


@pytest.mark.parametrize("name", FAULTS)
async def test_a_lost_answer_to_any_money_call_leaves_both_books_in_agreement(
    database_url: str, owner_url: str, wallet: FakeWallet, name: str
) -> None:
    """Row B1. Row B11. Row B12. Pitfall 2."""
    async with serving(database_url, wallet) as provider:
        for kind, skip, profit in sampled(CALLS.values(), 2, seed=name):
            start_minor = wallet.model.balance_minor
            wallet.plan(kind, FAULTS[name], skip=skip)
            report = await provider.simulate()
            await settled(owner_url)
            assert report["passed"] is False
            assert "unknown" in next(step["problem"] for step in report["steps"] if not step["passed"])
            assert wallet.model.balance_minor == start_minor + profit
    require_agreement(owner_url, wallet.model)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("done", [True, False], ids=["after the work", "before the work"])
async def test_a_wallet_that_says_nothing_is_given_up_within_the_call(  # noqa: PLR0917 - fixtures
    database_url: str, owner_url: str, wallet: FakeWallet, deadlines: Deadlines, call: str, done: bool
) -> None:
    kind, skip, profit = CALLS[call]
    wallet.plan(kind, after_work(stall) if done else stall, skip=skip)

    async with serving(database_url, wallet, call_seconds=60.0) as provider:
        playing = asyncio.create_task(provider.simulate())
        await until(wallet.reached.is_set)
        deadlines.of_calls.pass_now()
        report = await playing
        await settled(owner_url)
        assert report["passed"] is False
    assert wallet.model.balance_minor == wallet.model.start_minor + profit
    require_agreement(owner_url, wallet.model)


@pytest.mark.parametrize("kind", ["rollback", "credit"])
async def test_a_rollback_and_a_payout_are_repeated_under_the_same_id_until_the_wallet_answers(
    database_url: str, owner_url: str, wallet: FakeWallet, kind: str
) -> None:
    wallet.plan(kind, cut, times=6)
    await play(database_url, owner_url, wallet, retry_first_seconds=0.02)
    first = wallet.made(kind)[0]
    others = [c for c in wallet.made(kind)[1:] if c.members["transactionId"] == first.members["transactionId"]]
    assert len(others) >= 3
    assert all(call.members == first.members for call in others)
    require_agreement(owner_url, wallet.model)


async def test_a_bet_in_doubt_is_rolled_back_at_once(database_url: str, owner_url: str, wallet: FakeWallet) -> None:
    wallet.plan("debit", after_work(cut))
    await play(database_url, owner_url, wallet, outbox_interval_seconds=300.0)
    doubted, rolled_back = wallet.made("debit")[0], wallet.made("rollback")[0]
    assert rolled_back.members["originalTransactionId"] == doubted.members["transactionId"]
    assert rolled_back.at - doubted.at < 60  # long before the outbox would look by itself


async def test_a_bet_that_never_arrived_leaves_a_tombstone(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    wallet.plan("debit", cut)
    await play(database_url, owner_url, wallet)
    books = rows(owner_url, "select kind, state, tombstone from provider.wallet_transactions order by kind")
    assert books == [
        {"kind": "debit", "state": "rolled_back", "tombstone": False},
        {"kind": "rollback", "state": "committed", "tombstone": True},
    ]
    assert wallet.model.tombstones == {wallet.made("debit")[0].members["transactionId"]}


async def test_later_steps_are_reported_as_not_played(database_url: str, owner_url: str, wallet: FakeWallet) -> None:
    wallet.plan("debit", cut, skip=1)
    report = await play(database_url, owner_url, wallet)
    assert [step["passed"] for step in report["steps"]] == [True, True] + [False] * 7
    assert {step["problem"] for step in report["steps"][3:]} == {"Not played: a step before it failed."}
    assert report["finalBalance"] is None
