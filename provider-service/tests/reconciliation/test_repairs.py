"""Repairs of differences: which calls are sent again or rolled back, and which are only reported."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

import pytest

from provider.outbox.calls import rollback_id_of
from provider_testing.fake_wallet import FakeWallet
from provider_testing.reconciling import change, kinds, play, reconciled, sent_by_hand, transaction_of
from provider_testing.service import pending, rows, serving
from provider_testing.wallet_faults import after_work, answering, cut


async def test_a_lost_debit_is_reported_and_never_sent_again(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    await play(database_url, wallet)
    bet = str(transaction_of(owner_url, "debit", "settled")["transaction_id"])
    del wallet.model.transactions[bet]
    sent_before = len(wallet.made("debit"))
    report = await reconciled(database_url, wallet)
    assert kinds(report) == [("missing_there", bet)]
    assert (report["exitStatus"], report["healed"]) == (1, 0)
    assert len(wallet.made("debit")) == sent_before


async def test_a_lost_payout_is_sent_again_under_its_id(database_url: str, owner_url: str, wallet: FakeWallet) -> None:
    await play(database_url, wallet)
    credit = str(transaction_of(owner_url, "credit")["transaction_id"])
    wallet.model.balance_minor -= wallet.model.transactions.pop(credit).amount
    report = await reconciled(database_url, wallet)
    found = kinds(report)
    assert ("missing_there", credit) in found
    assert {kind for kind, _ in found} == {"missing_there", "state"}, "the bet is not settled there either"
    assert (report["exitStatus"], report["healed"]) == (0, len(found))
    assert wallet.model.transactions[credit].amount == 2000
    assert (await reconciled(database_url, wallet))["differences"] == []


async def test_a_lost_rollback_is_sent_again_under_its_id(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    await play(database_url, wallet)
    stone = rows(owner_url, "select * from provider.wallet_transactions where tombstone")[0]
    del wallet.model.transactions[str(stone["transaction_id"])]
    wallet.model.tombstones.clear()
    report = await reconciled(database_url, wallet)
    assert kinds(report) == [("missing_there", str(stone["transaction_id"]))]
    assert (report["exitStatus"], report["healed"]) == (0, 1)
    assert wallet.model.tombstones == {str(stone["original_transaction_id"])}
    assert (await reconciled(database_url, wallet))["differences"] == []


def plant_round(owner_url: str) -> str:
    """A voided round of the only session, without a bet; returns its id."""
    round_id = str(uuid.uuid4())
    change(
        owner_url,
        "insert into provider.rounds (round_id, provider_session_id, kind, lease_until, state, ended_at)"
        " select %s, provider_session_id, 'scripted', now(), 'voided', now() from provider.game_sessions",
        round_id,
    )
    return round_id


async def test_a_bet_that_these_books_never_knew_is_rolled_back_if_its_round_is_ours_and_unpaid(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    await play(database_url, wallet)
    before = wallet.model.balance_minor
    bet = sent_by_hand(wallet, plant_round(owner_url))
    report = await reconciled(database_url, wallet)
    assert kinds(report) == [("missing_here", bet)]
    assert (report["exitStatus"], report["healed"]) == (0, 1)
    assert (wallet.model.transactions[bet].state, wallet.model.balance_minor) == ("rolled_back", before)
    sent = wallet.made("rollback")[-1].members
    assert sent["transactionId"] == str(rollback_id_of(uuid.UUID(bet)))
    again = await reconciled(database_url, wallet)
    assert (again["exitStatus"], again["differences"]) == (0, [])


async def test_a_repair_that_the_books_refuse_is_a_warning_and_the_difference_stays(
    database_url: str, owner_url: str, wallet: FakeWallet, logged: Callable[[], str]
) -> None:
    """The books hold the rollback already, and somebody edited it: it is not written down twice, and not sent."""
    await play(database_url, wallet)
    round_id = plant_round(owner_url)
    bet = sent_by_hand(wallet, round_id)
    change(
        owner_url,
        "insert into provider.wallet_transactions (transaction_id, kind, reason, provider_session_id, round_id,"
        " amount_minor, currency, original_transaction_id, state, ended_at)"
        " select %s, 'rollback', 'test', provider_session_id, round_id, 700, 'USD', %s, 'refused', now()"
        " from provider.rounds where round_id = %s",
        rollback_id_of(uuid.UUID(bet)), bet, round_id,
    )  # fmt: skip
    sent_before = len(wallet.made("rollback"))
    report = await reconciled(database_url, wallet)
    assert ("missing_here", bet) in kinds(report)
    assert (report["exitStatus"], report["healed"]) == (1, 0)
    assert len(wallet.made("rollback")) == sent_before
    (told,) = [json.loads(line) for line in logged().splitlines() if "repair_not_recorded" in line]
    assert (told["level"], told["transaction_id"], told["code"]) == ("warning", bet, "already_recorded")


@pytest.mark.parametrize("whose", ["nobody's", "paid"])
async def test_a_bet_of_a_round_that_is_not_ours_or_is_paid_is_only_reported(
    database_url: str, owner_url: str, wallet: FakeWallet, whose: str
) -> None:
    await play(database_url, wallet)
    round_id = str(uuid.uuid4())
    bet = sent_by_hand(wallet, round_id)
    if whose == "paid":
        wallet.model.drifts[bet] = {
            "roundId": str(rows(owner_url, "select round_id from provider.rounds")[0]["round_id"])
        }
    sent_before = len(wallet.made("rollback"))
    report = await reconciled(database_url, wallet)
    assert kinds(report) == [("missing_here", bet)]
    assert (report["exitStatus"], report["healed"]) == (1, 0)
    assert len(wallet.made("rollback")) == sent_before


async def test_a_bet_that_these_books_refused_and_the_wallet_holds_is_rolled_back(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    wallet.plan("debit", answering(400, "stake_too_high"))
    async with serving(database_url, wallet) as provider:
        await provider.simulate()
    row = transaction_of(owner_url, "debit", "refused")
    bet = sent_by_hand(wallet, str(row["round_id"]), transactionId=str(row["transaction_id"]), amount=1000)
    report = await reconciled(database_url, wallet)
    assert kinds(report) == [("state", bet)]
    assert (report["exitStatus"], report["healed"], wallet.model.live_bets()) == (0, 1, 0)
    assert (await reconciled(database_url, wallet))["differences"] == []


async def test_without_healing_nothing_is_sent(database_url: str, owner_url: str, wallet: FakeWallet) -> None:
    await play(database_url, wallet)
    credit = str(transaction_of(owner_url, "credit")["transaction_id"])
    del wallet.model.transactions[credit]
    sent = len([call for call in wallet.calls if call.kind not in ("transactions", "transaction")])
    report = await reconciled(database_url, wallet, heals=False)
    assert (report["exitStatus"], report["healed"]) == (1, 0)
    assert len([call for call in wallet.calls if call.kind not in ("transactions", "transaction")]) == sent
    before = rows(owner_url, "select count(*) as sent from provider.wallet_attempts")
    assert before[0]["sent"] > 0


async def test_what_only_waits_for_its_next_attempt_is_finished_first(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    wallet.plan("credit", cut, times=100)
    async with serving(database_url, wallet, retry_first_seconds=600.0) as provider:
        await provider.simulate()
    assert [row["kind"] for row in pending(owner_url)] == ["credit"]
    wallet.forget_plans()
    report = await reconciled(database_url, wallet)
    assert (report["exitStatus"], report["differences"], report["open"]) == (0, [], 0)
    assert pending(owner_url) == []
    assert wallet.model.payouts() == 2000


async def test_what_cannot_be_sent_any_more_is_settled_from_what_the_wallet_tells(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    """The payout arrived, its answer did not, and every further attempt breaks."""

    wallet.plan("credit", after_work(cut), times=1)
    wallet.plan("credit", cut, times=100)
    async with serving(database_url, wallet, retry_first_seconds=600.0) as provider:
        await provider.simulate()
    assert [row["kind"] for row in pending(owner_url)] == ["credit"]
    report = await reconciled(database_url, wallet)
    assert (report["exitStatus"], report["differences"]) == (0, [])
    assert report["open"] == 2, "the bets of its round came before it in the feed"
    assert pending(owner_url) == []
    assert {row["state"] for row in rows(owner_url, "select state from provider.rounds")} == {"settled"}
