"""Spins whose wallet refuses, does not answer, or answers late: what the same spin id then says for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from provider.outbox import steps
from provider.spins import serving as module
from provider_testing.books import require_agreement, states
from provider_testing.fake_wallet import Exchange, FakeWallet, Fault
from provider_testing.service import Running, end_leases, rows, serving, settled
from provider_testing.spinning import code_of, require_fair_draws, spin
from provider_testing.wallet_faults import after_work, answering, cut, hold, html, stall
from shared_service.postgres.database import Database, OutcomeUnknown
from shared_service_testing.waiting import until

BUSY = (409, "session_busy")
TAKEN_BACK = (502, "operator_unreachable")


async def ended(provider: Running, session: dict[str, Any], spin_id: str) -> httpx.Response:
    """Ask again, as a caller does, until the outcome is known."""
    found: list[httpx.Response] = []

    async def is_known() -> bool:
        found.append(await spin(provider, session, spinId=spin_id))
        return code_of(found[-1]) != BUSY

    await until(is_known)
    return found[-1]


async def test_a_refusal_of_the_wallet_is_the_answer_for_ever(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    async with serving(database_url, wallet) as provider:
        session = await provider.launch()
        assert (await spin(provider, session, spinId="s-0")).status_code == 200
        wallet.model.balance_minor, kept = 10, wallet.model.balance_minor
        refused = await spin(provider, session, spinId="s-1", stake=5000)
        wallet.model.balance_minor = kept
        assert code_of(refused) == (402, "insufficient_balance")
        again = await spin(provider, session, spinId="s-1", stake=5000)
        assert again.status_code == 402
        assert {**again.json(), "requestId": ""} == {**refused.json(), "requestId": ""}
        assert again.json()["requestId"] == again.headers["x-request-id"]
        assert (await spin(provider, session, spinId="s-2")).status_code == 200
    assert [draw["counter"] for draw in require_fair_draws(owner_url)] == [0, 1], "a refused debit uses no counter"
    (refusal,) = rows(owner_url, "select r.state, r.ended_code from provider.spin_refusals join provider.rounds as r"
                                 " using (round_id)")  # fmt: skip
    assert refusal == {"state": "voided", "ended_code": "bet_refused"}
    assert [call.kind for call in wallet.calls] == ["debit", "credit", "debit", "debit", "credit"]


async def refuse_oddly(exchange: Exchange) -> None:
    body = {"error": "x" * 5000, "code": "a_code_of_theirs", "playerMessage": "Take a break.\x00"}
    await exchange.send((403, {}, body))


async def refuse_kindly(exchange: Exchange) -> None:
    body = {"error": "The limit.", "code": "limit_exceeded", "playerMessage": "Your limit is reached.", "more": 1}
    await exchange.send((403, {}, body))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (refuse_kindly, (403, "limit_exceeded", "The limit.", "Your limit is reached.")),
        (refuse_oddly, (403, "a_code_of_theirs", "x" * 256, None)),
        (answering(423, "play_stopped", sentence="Closed."), (423, "play_stopped", "Closed.", None)),
        (answering(400, "stake_too_high", sentence=""), (400, "stake_too_high", "The wallet refused the bet.", None)),
        (answering(404, "session_expired", sentence="Over."), (404, "session_expired", "Over.", None)),
    ],
    ids=["kindly", "oddly", "stopped", "without a sentence", "expired"],
)
async def test_a_refusal_has_the_wallets_own_status_code_and_sentence(
    database_url: str, owner_url: str, wallet: FakeWallet, fault: Fault, said: tuple[Any, ...]
) -> None:
    wallet.plan("debit", fault)
    async with serving(database_url, wallet) as provider:
        session = await provider.launch()
        for _ in range(2):
            answer = await spin(provider, session, spinId="s-1")
            content = answer.json()
            assert (answer.status_code, content["code"], content["error"], content.get("playerMessage")) == said
            assert answer.extensions["signature"] == "good"
    assert len(wallet.calls) == 1
    assert require_fair_draws(owner_url) == []


LOST = {"lost": cut, "answer lost": after_work(cut), "a page": html, "a page after the work": after_work(html)}


@pytest.mark.parametrize("fault", LOST.values(), ids=LOST)
async def test_a_debit_of_unknown_outcome_is_taken_back_and_ends_the_spin_for_ever(
    database_url: str, owner_url: str, wallet: FakeWallet, fault: Fault
) -> None:
    wallet.plan("debit", fault)
    wallet.plan("rollback", hold)
    async with serving(database_url, wallet) as provider:
        session = await provider.launch()
        assert code_of(await spin(provider, session, spinId="s-1")) == BUSY, "until the stake is back"
        await asyncio.to_thread(wallet.reached.wait, 60)
        assert code_of(await spin(provider, session, spinId="s-2")) == BUSY, "the session has a bet in doubt"
        wallet.forget_plans()
        for _ in range(2):
            assert code_of(await ended(provider, session, "s-1")) == TAKEN_BACK
        assert wallet.model.balance_minor == wallet.model.start_minor
        assert (await ended(provider, session, "s-2")).status_code == 200
        assert code_of(await ended(provider, session, "s-1")) == TAKEN_BACK
    (draw,) = require_fair_draws(owner_url)
    assert (draw["spin_id"], draw["counter"]) == ("s-2", 0)
    require_agreement(owner_url, wallet.model)


@pytest.mark.parametrize("fault", [cut, after_work(cut)], ids=["payout lost", "its answer lost"])
async def test_a_payout_of_unknown_outcome_is_sent_until_it_lands(
    database_url: str, owner_url: str, wallet: FakeWallet, fault: Fault
) -> None:
    wallet.plan("credit", fault, times=3)
    async with serving(database_url, wallet) as provider:
        session = await provider.launch()
        assert code_of(await spin(provider, session, spinId="s-1")) == BUSY
        answer = await ended(provider, session, "s-1")
        assert (answer.status_code, answer.content) == (200, (await spin(provider, session, spinId="s-1")).content)
        assert answer.json()["balance"] == str(1_000_000 - 1000 + answer.json()["win"])
        await settled(owner_url)
    (draw,) = require_fair_draws(owner_url)
    assert draw["events"] == answer.json()["events"]
    assert len({call.members["transactionId"] for call in wallet.made("credit")}) == 1
    require_agreement(owner_url, wallet.model)


async def test_a_payout_that_the_wallet_refuses_is_told_as_a_wallet_error(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    wallet.plan("credit", answering(400, "win_cap_exceeded"))
    async with serving(database_url, wallet) as provider:
        session = await provider.launch()
        for _ in range(2):
            assert code_of(await spin(provider, session, spinId="s-1")) == (502, "operator_rejected")
    assert states(owner_url) == [("debit", "settled"), ("credit", "refused")]
    assert rows(owner_url, "select difference_code from provider.wallet_transactions where kind = 'credit'") == [
        {"difference_code": "win_cap_exceeded"}
    ]


async def test_a_caller_is_answered_in_time_and_the_spin_goes_on(
    database_url: str, owner_url: str, wallet: FakeWallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_MARGIN_SECONDS", 60.0)  # the margin is all of the time
    wallet.plan("debit", hold)
    async with serving(database_url, wallet, call_seconds=60.0) as provider:
        session = await provider.launch()
        assert code_of(await spin(provider, session, spinId="s-1")) == BUSY
        await asyncio.to_thread(wallet.reached.wait, 60)
        assert code_of(await spin(provider, session, spinId="s-1")) == BUSY
        wallet.forget_plans()
        assert (await ended(provider, session, "s-1")).status_code == 200
    assert [call.kind for call in wallet.calls] == ["debit", "credit"]
    require_fair_draws(owner_url)


async def test_a_provider_that_ends_finishes_its_spins(
    database_url: str, owner_url: str, wallet: FakeWallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_MARGIN_SECONDS", 60.0)

    async def slowly(exchange: Exchange) -> None:
        exchange.wallet.reached.set()
        await asyncio.sleep(0.2)
        await exchange.send(exchange.execute())

    wallet.plan("debit", slowly)
    async with serving(database_url, wallet, call_seconds=60.0) as provider:
        assert code_of(await spin(provider, await provider.launch())) == BUSY
        await asyncio.to_thread(wallet.reached.wait, 60)
    assert sorted(states(owner_url)) == [("credit", "committed"), ("debit", "settled")]
    require_agreement(owner_url, wallet.model)


async def test_a_spin_that_recovery_gave_up_has_no_draw(database_url: str, owner_url: str, wallet: FakeWallet) -> None:
    """A process that slept longer than its lease gets the wallet's acceptance, which no longer counts."""
    wallet.plan("debit", hold)
    wallet.plan("rollback", stall, times=100)
    async with serving(database_url, wallet, call_seconds=60.0) as provider:
        session = await provider.launch()
        playing = asyncio.create_task(spin(provider, session, spinId="s-1"))
        await asyncio.to_thread(wallet.reached.wait, 60)
        end_leases(owner_url)
        await until(lambda: wallet.made("rollback"))
        wallet.forget_plans()
        assert code_of(await playing) in (BUSY, TAKEN_BACK)
        assert code_of(await ended(provider, session, "s-1")) == TAKEN_BACK
        await settled(owner_url)
    assert wallet.made("credit") == []
    assert require_fair_draws(owner_url) == []
    assert wallet.model.balance_minor == wallet.model.start_minor
    require_agreement(owner_url, wallet.model)


async def test_commits_whose_answers_are_lost_leave_one_outcome(
    database_url: str, owner_url: str, wallet: FakeWallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step of a spin is executed, its answer is lost, and it is executed again."""
    call, lost = Database.call, set[str]()

    async def losing(self: Database, statement: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
        found = await call(self, statement, parameters)
        if "record_steps" in statement and parameters[0] not in lost:
            lost.update((parameters[0], parameters[0].replace('"again":true,', "")))
            if '"again":true' not in parameters[0]:
                raise OutcomeUnknown("the answer is lost")
        return found

    monkeypatch.setattr(Database, "call", losing)
    async with serving(database_url, wallet) as provider:
        session = await provider.launch()
        answers = [await spin(provider, session, spinId=name) for name in ("s-1", "s-2", "s-1")]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert answers[0].content == answers[2].content
    assert len(lost) >= 6
    assert [call.kind for call in wallet.calls] == ["debit", "credit"] * 2
    assert [draw["counter"] for draw in require_fair_draws(owner_url)] == [0, 1]
    require_agreement(owner_url, wallet.model)


async def test_a_spin_whose_first_commit_stays_unknown_is_told_when_it_is_known(
    database_url: str, owner_url: str, wallet: FakeWallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = Database.call

    async def losing(self: Database, statement: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
        found = await call(self, statement, parameters)
        if "record_steps" in statement:
            raise OutcomeUnknown("the answer is lost")
        return found

    async with serving(database_url, wallet) as provider:
        session = await provider.launch()
        with monkeypatch.context() as patch:
            patch.setattr(Database, "call", losing)
            patch.setattr(steps, "STEP_SECONDS", 0.2)
            assert code_of(await spin(provider, session, spinId="s-1")) == BUSY
        end_leases(owner_url)
        assert code_of(await ended(provider, session, "s-1")) == TAKEN_BACK
        assert (await ended(provider, session, "s-2")).status_code == 200
    assert [call.kind for call in wallet.calls] == ["rollback", "debit", "credit"]
    require_agreement(owner_url, wallet.model)


async def test_many_players_spin_at_once(database_url: str, owner_url: str, wallet: FakeWallet) -> None:
    wallet.model.start_minor = wallet.model.balance_minor = 10**9

    async def play(provider: Running, name: str) -> None:
        session = await provider.launch(userId=name)
        for _ in range(3):
            assert (await spin(provider, session)).status_code == 200

    async with serving(database_url, wallet) as provider:
        await asyncio.gather(*(play(provider, f"player-{number}") for number in range(24)))
    assert len(require_fair_draws(owner_url)) == 72
    require_agreement(owner_url, wallet.model)


async def test_a_seed_that_cannot_be_opened_is_not_drawn_from(
    database_url: str, owner_url: str, wallet: FakeWallet, logged: Callable[[], str]
) -> None:
    """Somebody replaced the sealing key. Nothing is done until it is back."""
    async with serving(database_url, wallet) as provider:
        session = await provider.launch()
        first = await spin(provider, session, spinId="s-1")
    async with serving(database_url, wallet, sealing_key="another-key") as provider:
        assert code_of(await spin(provider, session, spinId="s-2")) == (503, "overloaded")
        assert (await spin(provider, session, spinId="s-1")).content == first.content
    assert logged().count("seed_seal_broken") == 1
    async with serving(database_url, wallet) as provider:
        assert (await spin(provider, session, spinId="s-2")).status_code == 200
    assert len(require_fair_draws(owner_url)) == 2
