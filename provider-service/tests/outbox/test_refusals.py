"""Every refusal of the protocol, answered to the first bet, and what the provider does about it."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from provider.wallet_client.actions import ACTIONS, Step
from provider_testing.books import require_agreement
from provider_testing.deadlines import Deadlines
from provider_testing.fake_wallet import Exchange, FakeWallet
from provider_testing.service import rows, serving, settled
from provider_testing.wallet_faults import after_work, answering, cut

REFUSING = sorted(code for code, action in ACTIONS.items() if action.step is Step.REFUSE)
STOPPING = sorted(code for code, action in ACTIONS.items() if action.stops_session)


async def play(database_url: str, owner_url: str, wallet: FakeWallet, **changed: Any) -> tuple[dict[str, Any], int]:
    """The report, and the status of a second simulation in the same session."""
    async with serving(database_url, wallet, **changed) as provider:
        session = await provider.launch()
        report = await provider.simulate(session)
        await settled(owner_url)
        again = await provider.client.post("/provider/simulate", json=session)
        return (report, again.status_code)


async def test_a_signed_refusal_of_a_bet_ends_it_without_a_rollback(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    async with serving(database_url, wallet) as provider:
        for code in REFUSING:
            session = await provider.launch()
            wallet.plan("debit", answering(ACTIONS[code].status, code))
            report = await provider.simulate(session)
            await settled(owner_url)
            assert report["steps"][1]["problem"] == f"Refused: {code}."
            assert report["steps"][1]["status"] == ACTIONS[code].status
            newest = "select * from provider.wallet_transactions order by created_at desc limit 1"
            (refused,) = rows(owner_url, newest)
            assert (refused["kind"], refused["state"], refused["outcome_code"]) == ("debit", "refused", code)
            assert (refused["difference_code"] is not None) == ACTIONS[code].alarms, code
            again = await provider.client.post("/provider/simulate", json=session)
            assert again.status_code == (404 if code in STOPPING else 200), code
    require_agreement(owner_url, wallet.model)


@pytest.mark.parametrize("code", ["limit_exceeded", "session_time_limit", "bonus_ack_required", "play_stopped"])
async def test_the_operators_message_is_handed_on_and_the_session_goes_on(
    database_url: str, wallet: FakeWallet, code: str
) -> None:
    async def refuse(exchange: Exchange) -> None:
        body = {"error": "No.", "code": code, "requestId": "r", "playerMessage": "Come back tomorrow."}
        await exchange.send((ACTIONS[code].status, {}, body))

    wallet.plan("debit", refuse)
    async with serving(database_url, wallet) as provider:
        session = await provider.launch()
        report = await provider.simulate(session)
        assert report["steps"][1]["response"]["playerMessage"] == "Come back tomorrow."
        assert (await provider.simulate(session))["passed"] is True


async def test_what_moved_nothing_is_tried_again_under_the_same_id(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    retried = [code for code, action in ACTIONS.items() if action.step is Step.RETRY]
    async with serving(database_url, wallet) as provider:
        for code, signed in itertools.product(retried, ("good", "missing", "bad")):
            before = len(wallet.made("debit"))
            wallet.plan("debit", answering(ACTIONS[code].status, code, signed=signed), times=2)
            assert (await provider.simulate())["passed"] is True, (code, signed)
            tries = wallet.made("debit")[before : before + 3]
            assert tries[0].members == tries[1].members == tries[2].members
            assert tries[1].at - tries[0].at > 0.05
    require_agreement(owner_url, wallet.model)


async def test_retry_after_is_honoured(database_url: str, owner_url: str, wallet: FakeWallet) -> None:
    wallet.plan("debit", answering(503, "overloaded", headers={"retry-after": "1"}))
    report, _ = await play(database_url, owner_url, wallet)
    assert report["passed"] is True
    first, second, *_ = wallet.made("debit")
    assert 0.95 < second.at - first.at < 8


async def test_a_retry_after_beyond_the_deadline_makes_the_outcome_unknown(
    database_url: str, owner_url: str, wallet: FakeWallet, deadlines: Deadlines
) -> None:
    deadlines.last_try = 1
    wallet.plan("debit", answering(429, "rate_limited", headers={"retry-after": "999999"}))
    report, _ = await play(database_url, owner_url, wallet)
    assert deadlines.pauses[0] >= 5.0
    assert all(word in report["steps"][1]["problem"] for word in ("operator_unreachable", "429", "rate_limited"))
    require_agreement(owner_url, wallet.model)


async def test_a_401_is_signed_anew_once_under_a_fresh_signature(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    wallet.plan("debit", answering(401, "nonce_replay", signed="missing"))
    report, _ = await play(database_url, owner_url, wallet)
    assert report["passed"] is True
    first, second, *_ = wallet.made("debit")
    assert first.members == second.members
    assert first.headers["x-casino-signature"] != second.headers["x-casino-signature"]


async def test_a_second_401_makes_the_outcome_unknown(database_url: str, owner_url: str, wallet: FakeWallet) -> None:
    wallet.plan("debit", answering(401, "unknown_key", signed="missing"), times=2)
    report, _ = await play(database_url, owner_url, wallet)
    assert all(word in report["steps"][1]["problem"] for word in ("operator_rejected", "401", "unknown_key"))
    tried = [call for call in wallet.made("debit") if call.members["roundId"] == report["roundId"]]
    assert len(tried) == 2
    require_agreement(owner_url, wallet.model)


@pytest.mark.parametrize(("kind", "profit"), [("debit", 0), ("rollback", 0), ("credit", 1000)])
async def test_two_401s_after_the_work_was_done_are_no_refusal(
    database_url: str, owner_url: str, wallet: FakeWallet, kind: str, profit: int
) -> None:
    """Whoever replays the provider's request obtains a signed 401 for its nonce, and can answer with it."""
    codes = ("nonce_replay", "timestamp_out_of_window", "bad_signature")
    async with serving(database_url, wallet) as provider:
        for code, signed in itertools.product(codes, ("good", "missing")):
            before, start_minor = len(wallet.made(kind)), wallet.model.balance_minor
            wallet.plan(kind, after_work(answering(401, code, signed=signed)))
            wallet.plan(kind, answering(401, code, signed=signed))
            report = await provider.simulate()
            await settled(owner_url)
            assert report["passed"] is False
            assert "unknown" in next(step["problem"] for step in report["steps"] if not step["passed"])
            first, second = wallet.made(kind)[before : before + 2]
            assert first.members == second.members
            assert first.headers["x-casino-signature"] != second.headers["x-casino-signature"]
            assert wallet.model.balance_minor == start_minor + profit, (code, signed)
            refused = "select from provider.wallet_transactions where state = 'refused' and transaction_id = %s"
            assert rows(owner_url, refused, first.members["transactionId"]) == []
    require_agreement(owner_url, wallet.model)


@pytest.mark.parametrize(("status", "code"), [(404, "session_not_found"), (404, "session_expired")])
async def test_a_wallet_that_never_knew_the_session_ends_the_rollback_and_the_bet(
    database_url: str, owner_url: str, wallet: FakeWallet, status: int, code: str
) -> None:
    wallet.plan("debit", cut)
    wallet.plan("rollback", answering(status, code))
    await play(database_url, owner_url, wallet)
    books = rows(owner_url, "select kind, state, difference_code from provider.wallet_transactions order by kind")
    assert books == [
        {"kind": "debit", "state": "refused", "difference_code": None},
        {"kind": "rollback", "state": "refused", "difference_code": None},
    ]


@pytest.mark.parametrize("code", ["round_has_payout", "not_a_bet", "invalid_field"])
async def test_a_refused_rollback_ends_as_a_difference(
    database_url: str, owner_url: str, wallet: FakeWallet, code: str
) -> None:
    wallet.plan("debit", after_work(cut))
    wallet.plan("rollback", answering(400, code))
    await play(database_url, owner_url, wallet)
    books = rows(
        owner_url,
        "select kind, state, difference_code from provider.wallet_transactions"
        " where round_id = (select round_id from provider.rounds order by created_at limit 1) order by kind",
    )
    assert books == [
        {"kind": "debit", "state": "committed", "difference_code": None},
        {"kind": "rollback", "state": "refused", "difference_code": code},
    ]


@pytest.mark.parametrize(("status", "code"), [(400, "win_cap_exceeded"), (403, "wallet_blocked"), (404, "not_found")])
async def test_a_refused_payout_ends_as_a_difference(
    database_url: str, owner_url: str, wallet: FakeWallet, status: int, code: str
) -> None:
    wallet.plan("credit", answering(status, code))
    report, _ = await play(database_url, owner_url, wallet)
    assert report["steps"][4]["problem"] == f"Refused: {code}."
    refused = rows(owner_url, "select state, difference_code from provider.wallet_transactions where kind = 'credit'")
    assert refused[0] == {"state": "refused", "difference_code": code}
    assert wallet.made("rollback")[1:] == [] or wallet.made("rollback")[1].members["roundId"] != report["roundId"]


async def test_a_code_with_another_status_counts_as_its_status(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    wallet.plan("debit", answering(402, "session_busy"))
    report, _ = await play(database_url, owner_url, wallet)
    assert report["steps"][1]["problem"] == "Refused: session_busy."
    assert len([call for call in wallet.made("debit") if call.members["roundId"] == report["roundId"]]) == 1


async def test_a_code_that_is_no_code_does_not_reach_the_books(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    wallet.plan("debit", answering(402, "<script>" + "x" * 200))
    report, _ = await play(database_url, owner_url, wallet)
    assert report["steps"][1]["problem"] == "Refused: operator_rejected."


async def test_a_hostile_answer_is_reported_without_harm(database_url: str, owner_url: str, wallet: FakeWallet) -> None:
    async def echo(exchange: Exchange) -> None:
        status, headers, body = exchange.execute()
        nested = json.loads("[" * 500 + "]" * 500)
        await exchange.send(
            (status, headers, body | {"echo": exchange.call.members["sessionToken"], "x": nested, "y": 10**400})
        )

    wallet.plan("*", echo, times=100)
    report, _ = await play(database_url, owner_url, wallet)
    assert report["passed"] is True
    assert wallet.calls[0].members["sessionToken"] not in json.dumps(report)
