"""The hash chain of a wallet: every committed transaction is one entry, and answers with its place. Row G8."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casino.wallet.commands import WalletCommand
from casino_testing.chain import details, entries, hashes_by_hand
from casino_testing.tenant import Tenant
from casino_testing.wallet import Session, Wallet, answer

ODD_ID = '["\\", null, \u007e]'


def play(wallet: Wallet) -> list[WalletCommand]:
    """One of every kind, all accepted; ids that need care in a text among them."""
    session = wallet.open_session()
    bet, undone = session.debit(round_id=ODD_ID), session.debit(transaction_id=ODD_ID)
    played = [
        bet,
        undone,
        session.rollback(undone.transaction_id),
        session.rollback(undone.transaction_id),
        session.credit(700, round_id=ODD_ID, related_id=bet.transaction_id),
        session.credit(0, round_id=ODD_ID, end_round=True),
        session.rollback("never seen"),
        session.rollback("never seen"),
    ]
    for command in played:
        wallet.accept(command)
    return played


def test_the_hashes_are_those_of_the_formula_in_the_books(wallet: Wallet, tenant: Tenant) -> None:
    played = play(wallet)
    chain = entries(tenant)
    assert [row["transaction_id"] for row in chain] == [
        "§opening-balance", *(command.transaction_id for command in played),
    ]  # fmt: skip
    assert [row["sequence_no"] for row in chain] == list(range(1, len(chain) + 1))
    assert [row["entry_hash"] for row in chain] == hashes_by_hand(chain)
    assert tenant.wallet()["head_hash"] == chain[-1]["entry_hash"]


def test_a_wallet_without_money_has_an_empty_chain_until_its_first_transaction(wallet: Wallet, tenant: Tenant) -> None:
    tenant.open_player("poor", balance_minor=0)
    assert (tenant.wallet("poor")["sequence_no"], tenant.wallet("poor")["head_hash"]) == (0, None)
    stone = wallet.open_session("poor").rollback("never seen")
    assert wallet.accept(stone).head == tenant.head(stone.transaction_id, "poor")
    assert [row["entry_hash"] for row in entries(tenant, "poor")] == hashes_by_hand(entries(tenant, "poor"))


def test_every_acceptance_tells_its_place_and_a_replay_the_same(wallet: Wallet, tenant: Tenant) -> None:
    played = play(wallet)
    for command in played:
        outcome = wallet.run(command)
        assert (outcome.replay, outcome.head) == (True, tenant.head(command.transaction_id))


def test_a_refusal_recorded_or_not_has_no_place_and_no_head(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    before = tenant.wallet()
    refusals = [wallet.run(session.debit(1))]
    tenant.set_session(session.session_id, loss_limit_minor=0)
    recorded = session.debit()
    refusals += [wallet.run(recorded), wallet.run(recorded)]
    assert [(outcome.code, outcome.head) for outcome in refusals] == [
        ("stake_too_low", None), ("limit_exceeded", None), ("limit_exceeded", None),
    ]  # fmt: skip
    assert refusals[-1].replay
    after = tenant.wallet()
    assert (after["sequence_no"], after["head_hash"]) == (before["sequence_no"], before["head_hash"])
    assert tenant.transaction(recorded.transaction_id)["entry_hash"] is None


def test_wallets_in_one_batch_have_chains_of_their_own(wallet: Wallet, tenant: Tenant) -> None:
    sessions: list[Session] = [wallet.open_session("1"), wallet.open_session("2")]
    for _ in range(3):
        wallet.run_batch([session.debit() for session in sessions])
    for player_id in ("1", "2"):
        chain = entries(tenant, player_id)
        assert len(chain) == 4
        assert [row["entry_hash"] for row in chain] == hashes_by_hand(chain)


def test_what_was_answered_before_there_were_heads_is_replayed_without_one(wallet: Wallet, tenant: Tenant) -> None:
    """As after the migration: byte for byte holds across it."""
    bet = wallet.bet(wallet.open_session())
    tenant.sql("update casino.transactions set answered_with_head = false where ledger_id = %s", tenant.ledger_id)
    outcome = wallet.run(bet)
    assert (outcome.replay, outcome.head) == (True, None)
    assert b"head" not in answer(bet, outcome)[1]


@pytest.mark.parametrize("column", ["entry_hash", "sequence_no"])
def test_an_entry_without_hash_or_number_is_refused_by_the_database(
    wallet: Wallet, tenant: Tenant, column: str
) -> None:
    bet = wallet.bet(wallet.open_session())
    with pytest.raises(Exception, match=r"numbered_has_hash|committed_is_numbered"):
        tenant.sql(
            f"update casino.transactions set {column} = null where ledger_id = %s and transaction_id = %s",
            tenant.ledger_id, bet.transaction_id,
        )  # fmt: skip


VECTOR = (
    "casino.entry_hash_2(sha256('hi'), 1, 7, 2, 't-1', 'debit', '0190b6a0-0000-7000-8000-000000000001', 'r-1', 1000,"
    " 'USD', null, 999000, false, false, casino.entry_details('2026-01-31 23:59:59.000001+00', 'q-1', 'main', 'main'))"
)


@pytest.mark.parametrize("setting", ["timezone = 'Asia/Kathmandu'", "datestyle = 'German, DMY'", "lc_time = 'C'"])
def test_the_decision_records_example_is_what_the_database_hashes_whatever_it_is_set_to(
    shared_database: str, setting: str
) -> None:
    """Bytes that an outside auditor can make again."""
    page = (Path(__file__).parents[3] / "docs/decisions/0013-hash-chain.md").read_text("utf-8")
    text = next(line.strip() for line in page.splitlines() if line.startswith('    ["'))
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert f"is `{digest}`" in page
    with psycopg.connect(shared_database) as connection:
        connection.execute(f"set {setting}".encode())
        assert connection.execute(f"select encode({VECTOR}, 'hex')".encode()).fetchone() == (digest,)


ODD_TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
# Before the year 1000 Python leaves out zeros.
TIMES = st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 - naive bounds


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=TIMES, request_id=ODD_TEXTS, signer=st.none() | ODD_TEXTS, provider=st.sampled_from(["main", "acme"]))
def test_evidence_of_any_content_has_the_bytes_of_pythons_json(
    tenant: Tenant, at: datetime, request_id: str, signer: str | None, provider: str
) -> None:
    row = {"recorded_at": at, "request_id": request_id, "signed_by": signer, "provider_id": provider}
    (found,) = tenant.sql(
        "select casino.entry_details(%(recorded_at)s, %(request_id)s, %(signed_by)s, %(provider_id)s)::text as json",
        row,
    )
    assert found["json"] == json.dumps(details(row), ensure_ascii=False)
