"""Reconciliation against a wallet that shows every transaction: which differences it finds, and which it does not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from provider.reconciliation import feed
from provider_testing.fake_wallet import FakeWallet
from provider_testing.reconciling import change, kinds, play, reconciled, sent_by_hand, transaction_of
from provider_testing.service import rows, serving
from provider_testing.wallet_faults import after_work, answering, stall
from shared_service_testing.waiting import until


async def test_books_that_agree_have_no_difference(database_url: str, wallet: FakeWallet) -> None:
    await play(database_url, wallet, rounds=3)
    report = await reconciled(database_url, wallet)
    assert (report["exitStatus"], report["differences"], report["open"]) == (0, [], 0)
    assert report["compared"] == len(wallet.model.transactions) == 15


async def test_a_remembered_refusal_is_in_both_books_and_no_difference(database_url: str, wallet: FakeWallet) -> None:
    wallet.model.balance_minor = 500

    async with serving(database_url, wallet) as provider:
        await provider.simulate()
    report = await reconciled(database_url, wallet)
    assert (report["exitStatus"], report["compared"]) == (0, 1)
    wallet.model.transactions.clear()
    assert [kind for kind, _ in kinds(await reconciled(database_url, wallet))] == ["missing_there"]


async def test_the_feed_is_read_page_by_page_by_cursor(
    database_url: str, wallet: FakeWallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "PAGE_ROWS", 4)
    await play(database_url, wallet, rounds=2)
    report = await reconciled(database_url, wallet, heals=False)
    assert (report["exitStatus"], report["compared"]) == (0, 10)
    assert [call.members for call in wallet.made("transactions")] == [
        {"after": after, "limit": "4"} for after in ("0", "4", "8", "10")
    ]


async def test_what_the_feed_does_not_show_yet_is_asked_by_id_and_no_difference(
    database_url: str, wallet: FakeWallet
) -> None:
    """A row that commits late stands behind the cursor; it must never look lost."""
    await play(database_url, wallet)
    newest = list(wallet.model.transactions)[-1:]
    hidden = {name: wallet.model.transactions[name] for name in newest}
    page = wallet.model._page

    def without_the_late(query: dict[str, str]) -> Any:
        kept = wallet.model.transactions
        wallet.model.transactions = {name: kept[name] for name in kept if name not in hidden}
        try:
            return page(query)
        finally:
            wallet.model.transactions = kept

    wallet.model._page = without_the_late  # type: ignore[method-assign]
    report = await reconciled(database_url, wallet)
    assert (report["exitStatus"], report["differences"]) == (0, [])
    assert {call.members["transactionId"] for call in wallet.made("transaction")} == set(newest)


DRIFTS = {
    "amount": ("credit", {"amount": 2001}),
    "currency": ("credit", {"currency": "EUR"}),
    "state": ("debit", {"state": "rolled_back"}),
    "round": ("credit", {"roundId": "another"}),
    "related": ("credit", {"relatedTransactionId": "another"}),
    "balance": ("debit", {"balanceAfter": "1"}),
    "kind": ("credit", {"type": "rollback"}),
    "player": ("credit", {"userId": "2"}),
}


async def test_a_column_that_differs_is_found_under_its_kind_and_nothing_else(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    """Row G7."""
    await play(database_url, wallet, rounds=len(DRIFTS))
    ids: dict[str, list[str]] = {"debit": [], "credit": []}
    for row in rows(owner_url, "select * from provider.wallet_transactions where state in ('settled', 'committed')"):
        ids.setdefault(row["kind"], []).append(str(row["transaction_id"]))
    drifted = {kind: ids[what].pop() for kind, (what, _) in DRIFTS.items()}
    wallet.model.drifts |= {drifted[kind]: drift for kind, (_, drift) in DRIFTS.items()}
    report = await reconciled(database_url, wallet)
    assert sorted(kinds(report)) == sorted(drifted.items())
    assert report["exitStatus"] == 1
    assert all(difference["proposedRepair"].endswith(".") for difference in report["differences"])
    assert rows(owner_url, "select provider.open_differences() as open") == [{"open": len(DRIFTS)}]


@pytest.mark.parametrize("lost", ["debit", "credit", "rollback"])
async def test_what_the_wallet_paid_or_took_without_these_books_is_missing_here(
    database_url: str, owner_url: str, wallet: FakeWallet, lost: str
) -> None:
    """Row G7."""
    await play(database_url, wallet)
    row = transaction_of(owner_url, lost, "settled" if lost == "debit" else "committed")
    change(owner_url, "delete from provider.wallet_transactions where transaction_id = %s", row["transaction_id"])
    report = await reconciled(database_url, wallet)
    assert kinds(report) == [("missing_here", str(row["transaction_id"]))]
    assert report["exitStatus"] == 1


async def test_ids_that_these_books_never_give_are_reported_without_being_asked(
    database_url: str, wallet: FakeWallet
) -> None:
    strange = ["../../admin", "A9429BB3-9F71-4497-9FA4-F5F7592A46AF", "a b", "[bold]x[/bold]"]
    for name in strange:
        sent_by_hand(wallet, "r", transactionId=name)
    report = await reconciled(database_url, wallet)
    assert kinds(report) == sorted(("missing_here", name) for name in strange)
    assert wallet.made("transaction") == []


async def test_what_is_under_way_is_open_and_no_difference(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    """A bet is with the wallet, its answer is not here yet."""

    async with serving(database_url, wallet, call_seconds=60.0) as provider:
        wallet.plan("debit", after_work(stall))
        playing = asyncio.create_task(provider.simulate())
        await until(wallet.reached.is_set)
        report = await reconciled(database_url, wallet)
        wallet.forget_plans()
        await asyncio.wait({playing})
    assert (report["exitStatus"], report["differences"], report["open"]) == (0, [], 1)


async def test_what_the_wallet_decided_otherwise_is_reported_until_somebody_sees_to_it(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    wallet.plan("credit", answering(400, "win_cap_exceeded"))
    async with serving(database_url, wallet) as provider:
        await provider.simulate()
    credit = transaction_of(owner_url, "credit", "refused")
    for _ in range(2):
        report = await reconciled(database_url, wallet)
        assert kinds(report) == [("contradiction", str(credit["transaction_id"]))]
        assert report["exitStatus"] == 1
    change(
        owner_url, "update provider.wallet_transactions set difference_code = null where difference_code is not null"
    )
    assert (await reconciled(database_url, wallet))["exitStatus"] == 0


async def test_every_difference_is_kept_with_both_sides(
    database_url: str, owner_url: str, wallet: FakeWallet, logged: Callable[[], str]
) -> None:
    await play(database_url, wallet)
    credit = str(transaction_of(owner_url, "credit")["transaction_id"])
    wallet.model.drifts[credit] = {"amount": 1999}
    await reconciled(database_url, wallet)
    kept = rows(owner_url, "select * from provider.reconciliation_differences")
    assert [(row["kind"], row["ours"]["amount"], row["theirs"]["amount"]) for row in kept] == [("amount", 2000, 1999)]
    assert "sessionToken" not in json.dumps(kept, default=str)
    (told,) = [json.loads(line) for line in logged().splitlines() if "difference_found" in line]
    assert (told["kind"], told["transaction_id"], told["run_id"]) == ("amount", credit, kept[0]["run_id"])


async def test_a_player_whose_id_looks_like_an_address_is_asked_about_all_the_same(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    """What is signed is what is sent, however an HTTP library spells it."""
    players = {"pl/ay er?&=%2F+#", "..", "a'b\"c", "~%41"}
    async with serving(database_url, wallet) as provider:
        for player in players:
            assert (await provider.simulate(await provider.launch(userId=player)))["passed"]
    credits_paid = [
        str(row["transaction_id"])
        for row in rows(owner_url, "select * from provider.wallet_transactions where kind = 'credit'")
    ]
    wallet.model.drifts |= {credit: {"amount": 1} for credit in credits_paid}
    assert sorted(kinds(await reconciled(database_url, wallet))) == sorted(("amount", each) for each in credits_paid)
    asked = [call.members for call in wallet.made("transaction")]
    assert {call["userId"] for call in asked} == players
    assert {call["transactionId"] for call in asked} == set(credits_paid)
