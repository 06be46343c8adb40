"""What is written down about a transaction besides its money: how it arrived, and who asked for it again. Row H3."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from msgspec import structs

from casino_testing.edge import Service, bet, rollback
from casino_testing.tenant import Row, Tenant
from casino_testing.wallet import Wallet

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def attempts(tenant: Tenant) -> list[tuple[object, ...]]:
    def said(row: Row) -> tuple[object, ...]:
        return row["transaction_id"], row["attempt"], row["times"], row["last_request_id"], row["last_refusal"]

    return sorted(said(row) for row in tenant.rows("attempts"))


async def test_key_clock_and_arrival_of_a_signed_request_are_kept(service: Service, tenant: Tenant) -> None:
    token = await service.launch()
    content = bet(token)
    before = datetime.now(UTC)
    await service.post("debit", content, headers={"x-request-id": "the-first"})
    after = datetime.now(UTC)
    row = tenant.transaction(content["transactionId"])
    assert (row["signed_by"], row["request_id"]) == ("main", "the-first")
    assert 0 <= row["clock_skew_seconds"] <= int(after.timestamp()) - int(before.timestamp())
    assert before <= row["received_at"] <= row["recorded_at"] <= after


async def test_the_request_ids_of_first_answer_and_last_retry_are_both_found(service: Service, tenant: Tenant) -> None:
    token = await service.launch()
    content = bet(token)
    for request_id in ("the-first", "the-second", "the-third"):
        await service.post("debit", content, headers={"x-request-id": request_id})
    await service.post("rollback", rollback(token, "never seen"))
    assert attempts(tenant) == [(content["transactionId"], "replay", 2, "the-third", None)]


def test_replays_are_counted_in_one_row_with_first_and_last_time(wallet: Wallet, tenant: Tenant) -> None:
    wallet.set_clock(NOW)
    bet = wallet.bet(wallet.open_session())
    for minutes in (1, 2, 3):
        wallet.set_clock(NOW + timedelta(minutes=minutes))
        assert wallet.run(bet).replay
    (row,) = tenant.rows("attempts")
    assert (row["times"], row["first_at"], row["last_at"]) == (
        3, NOW + timedelta(minutes=1), NOW + timedelta(minutes=3),
    )  # fmt: skip


def test_a_replayed_refusal_is_counted_too(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    tenant.set_session(session.session_id, loss_limit_minor=0)
    refused = session.debit()
    for _ in range(2):
        assert wallet.run(refused).code == "limit_exceeded"
    assert attempts(tenant) == [(refused.transaction_id, "replay", 1, refused.request_id, None)]


def test_a_mismatch_and_a_refused_rollback_are_noted_at_the_transaction_that_they_name(
    wallet: Wallet, tenant: Tenant
) -> None:
    session = wallet.open_session()
    bet = wallet.bet(session, transaction_id="bet")
    wallet.accept(session.credit(5, related_id="bet", transaction_id="win"))
    other = session.debit(2_000, transaction_id="bet")
    assert wallet.refuse(other) == "idempotency_mismatch"
    late, wrong = session.rollback(bet.transaction_id), session.rollback("win")
    assert (wallet.refuse(late), wallet.refuse(wrong)) == ("round_has_payout", "not_a_bet")
    assert attempts(tenant) == [
        ("bet", "mismatch", 1, other.request_id, "amount"),
        ("bet", "refused_rollback", 1, late.request_id, "round_has_payout"),
        ("win", "refused_rollback", 1, wrong.request_id, "not_a_bet"),
    ]


def test_a_bet_that_comes_after_its_tombstone_is_noted_each_time(wallet: Wallet, tenant: Tenant) -> None:
    """Row B3. The late bet leaves no transaction; that it came is known all the same."""
    session = wallet.open_session()
    wallet.accept(session.rollback("late"))
    late = session.debit(transaction_id="late")
    for _ in range(2):
        assert wallet.refuse(late) == "transaction_rolled_back"
    assert attempts(tenant) == [("late", "late_debit", 2, late.request_id, "transaction_rolled_back")]


def test_what_names_no_transaction_leaves_no_trace(wallet: Wallet, tenant: Tenant) -> None:
    session, other = wallet.open_session(), wallet.open_session()
    wallet.bet(session, round_id="theirs")
    assert wallet.refuse(session.debit(1)) == "stake_too_low"
    assert wallet.refuse(session.credit(1, round_id="no such round")) == "no_matching_bet"
    assert wallet.refuse(other.rollback("never seen", round_id="theirs")) == "round_mismatch"
    assert tenant.rows("attempts") == []


def test_the_same_question_twice_in_one_batch_is_counted_twice(wallet: Wallet, tenant: Tenant) -> None:
    bet = wallet.bet(wallet.open_session())
    again, last = (structs.replace(bet, request_id=request_id) for request_id in ("again", "last"))
    assert [outcome.replay for outcome in wallet.run_batch([again, last])] == [True, True]
    assert attempts(tenant) == [(bet.transaction_id, "replay", 2, "last", None)]


def test_attempts_of_several_wallets_in_one_batch_are_each_their_own(wallet: Wallet, tenant: Tenant) -> None:
    sessions = [wallet.open_session("1"), wallet.open_session("2")]
    bets = [session.debit(transaction_id="same id") for session in sessions]
    wallet.run_batch(bets)
    wallet.run_batch(bets)
    assert [row["times"] for row in tenant.rows("attempts")] == [1, 1]
    assert len({row["wallet_id"] for row in tenant.rows("attempts")}) == 2
