"""The nine steps against an honest wallet."""

from __future__ import annotations

from typing import Any

from provider_testing.books import require_agreement, states
from provider_testing.fake_wallet import FakeWallet
from provider_testing.service import rows, serving

ACTIONS = [
    "balance_check",
    "bet_1",
    "bet_2",
    "rollback_bet_2",
    "payout",
    "final_balance_check",
    "idempotency_retry",
    "tombstone_rollback",
    "rejected_rollback",
]
BALANCES = [1_000_000, 999_000, 998_000, 999_000, 1_001_000, 1_001_000, 1_001_000, 1_001_000, 1_001_000]


async def play(database_url: str, wallet: FakeWallet) -> dict[str, Any]:
    async with serving(database_url, wallet) as provider:
        return await provider.simulate()


async def test_the_nine_steps_leave_the_balances_of_the_seed(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    report = await play(database_url, wallet)
    assert report["passed"] is True
    assert [step["action"] for step in report["steps"]] == ACTIONS
    assert [step["balance"] for step in report["steps"]] == [str(balance) for balance in BALANCES]
    assert [step["status"] for step in report["steps"]] == [200] * 8 + [400]
    assert (report["startBalance"], report["finalBalance"], report["netProfit"]) == ("1000000", "1001000", "1000")
    assert report["currency"] == "USD"
    require_agreement(owner_url, wallet.model)


async def test_a_round_leaves_these_transactions_in_the_books(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    await play(database_url, wallet)
    assert states(owner_url) == [
        ("debit", "settled"),
        ("debit", "rolled_back"),
        ("rollback", "committed"),
        ("credit", "committed"),
        ("rollback", "committed"),
        ("rollback", "refused"),
    ]
    tombstones = rows(owner_url, "select * from provider.wallet_transactions where tombstone")
    assert len(tombstones) == 1
    assert rows(owner_url, "select * from provider.wallet_transactions where difference_code is not null") == []
    assert rows(owner_url, "select state, ended_code from provider.rounds") == [
        {"state": "settled", "ended_code": "paid"}
    ]


async def test_a_second_round_starts_from_what_the_first_one_left(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    await play(database_url, wallet)
    report = await play(database_url, wallet)
    assert report["passed"] is True
    assert (report["startBalance"], report["finalBalance"]) == ("1001000", "1002000")
    require_agreement(owner_url, wallet.model)


async def test_the_repeated_bet_is_the_same_request_and_the_same_answer(database_url: str, wallet: FakeWallet) -> None:
    steps = (await play(database_url, wallet))["steps"]
    assert steps[6]["request"] == steps[1]["request"]
    assert steps[6]["response"] == steps[1]["response"]
    assert steps[7]["response"]["tombstone"] is True
    assert steps[8]["response"]["error"] == "Cannot rollback: round already has a payout"


async def test_no_step_shows_the_session_token(database_url: str, wallet: FakeWallet) -> None:
    report = await play(database_url, wallet)
    token = wallet.calls[0].members["sessionToken"]
    assert token not in str(report)
    assert all(step["request"]["sessionToken"] == "****" for step in report["steps"])


async def test_every_call_carries_the_id_of_the_request_that_caused_it(database_url: str, wallet: FakeWallet) -> None:
    async with serving(database_url, wallet) as provider:
        session = await provider.launch()
        headers = {"x-request-id": "from-the-casino"}
        answer = await provider.client.post("/provider/simulate", json=session, headers=headers)
        assert answer.headers["x-request-id"] == "from-the-casino"
    assert {call.headers["x-request-id"] for call in wallet.calls} == {"from-the-casino"}


async def test_every_attempt_is_kept_with_its_signature_verdict(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    await play(database_url, wallet)
    attempts = rows(owner_url, "select status, code, signature, failure from provider.wallet_attempts order by 1")
    accepted = {"status": 200, "code": None, "signature": "good", "failure": None}
    refused = {"status": 400, "code": "round_has_payout", "signature": "good", "failure": None}
    assert attempts == [accepted] * 6 + [refused]
