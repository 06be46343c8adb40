"""`casino transaction <id>`: everything that the ledger knows of one transaction, and never a secret. Row H3."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result

from casino.__main__ import main
from casino.wallet.commands import token_hash
from casino_testing.edge import Service, bet, payout, rollback
from casino_testing.tenant import Tenant
from casino_testing.wallet import Session, Wallet

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def run(tenant: Tenant, *arguments: str) -> Result:
    environment = {"CASINO_OWNER_DATABASE_URL": tenant.url, "CASINO_LEDGER": str(tenant.ledger_id)}
    return CliRunner().invoke(main, ["transaction", *arguments], env=environment)


def told(tenant: Tenant, *arguments: str) -> list[dict[str, Any]]:
    result = run(tenant, *arguments, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    return [json.loads(line) for line in result.stdout.splitlines()]


def life(tenant: Tenant, transaction_id: str) -> dict[str, Any]:
    (only,) = told(tenant, transaction_id, "--user", "1")
    return only


def changes(tenant: Tenant, transaction_id: str) -> list[tuple[str, str, str]]:
    return [(row["at"], row["change"], row["by"]) for row in life(tenant, transaction_id)["changes"]]


def at(minutes: int) -> str:
    return f"2026-05-01T12:{minutes:02}:00.000000Z"


@pytest.fixture
def session(wallet: Wallet) -> Session:
    """A session of player 1 that was opened at noon."""
    wallet.set_clock(NOW)
    return wallet.open_session()


def accept_at(wallet: Wallet, minutes: int, *commands: Any) -> None:
    wallet.set_clock(NOW + timedelta(minutes=minutes))
    for command in commands:
        wallet.accept(command)


async def test_a_bet_over_http_is_told_from_its_signature_to_its_payout(service: Service, tenant: Tenant) -> None:
    token = await service.launch()
    content = bet(token)
    await service.post("debit", content, headers={"x-request-id": "the-bet"})
    await service.post("debit", content, headers={"x-request-id": "the-retry"})
    win = payout(token, content["transactionId"])
    await service.post("credit", win, headers={"x-request-id": "the-win"})
    await service.post("rollback", rollback(token, content["transactionId"]), headers={"x-request-id": "too-late"})

    found, stored = life(tenant, content["transactionId"]), tenant.transaction(content["transactionId"])
    expected = {
        "transactionId": content["transactionId"], "userId": "1", "kind": "debit", "amount": content["amount"],
        "currency": "USD", "state": "settled", "refusal": None, "requestId": "the-bet", "balanceAfter": 999_000,
        "head": tenant.head(content["transactionId"]),
        "signature": {"verdict": "good", "keyId": "main", "clockSkewSeconds": stored["clock_skew_seconds"]},
        "postings": [
            {"account": "wallet", "amount": -content["amount"], "currency": "USD"},
            {"account": "house_games", "amount": content["amount"], "currency": "USD"},
        ],
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected
    assert found["round"]["id"] == content["roundId"]
    assert found["session"]["game"] == "SLOTS_001"
    assert found["times"]["receivedAt"] <= found["times"]["recordedAt"]
    assert found["times"]["tookMs"] >= 0
    assert [(row["change"], row["by"]) for row in found["changes"]] == [
        ("recorded", content["transactionId"]), ("settled", win["transactionId"]),
    ]  # fmt: skip
    assert [(row["attempt"], row["times"], row["lastRequestId"], row["refusal"]) for row in found["attempts"]] == [
        ("refused_rollback", 1, "too-late", "round_has_payout"), ("replay", 1, "the-retry", None),
    ]  # fmt: skip


def test_a_rolled_back_bet_names_the_rollback_that_worked_and_all_that_tried(
    wallet: Wallet, tenant: Tenant, session: Session
) -> None:
    accept_at(wallet, 1, session.debit(transaction_id="bet"))
    accept_at(wallet, 2, session.rollback("bet", transaction_id="first"))
    accept_at(wallet, 3, session.rollback("bet", transaction_id="second"))
    assert changes(tenant, "bet") == [(at(1), "recorded", "bet"), (at(2), "rolled_back", "first")]
    assert [(row["at"], row["transactionId"], row["effect"]) for row in life(tenant, "bet")["rollbacks"]] == [
        (at(2), "first", "returned"), (at(3), "second", "already rolled back"),
    ]  # fmt: skip
    assert life(tenant, "second")["alreadyRolledBack"] is True
    assert life(tenant, "first")["relatedTransactionId"] == "bet"


def test_a_bet_is_settled_by_the_first_credit_of_its_round_whichever_bet_that_names(
    wallet: Wallet, tenant: Tenant, session: Session
) -> None:
    accept_at(wallet, 1, session.debit(transaction_id="bet"), session.debit(transaction_id="other"))
    accept_at(wallet, 2, session.credit(5, related_id="other", transaction_id="win"))
    accept_at(wallet, 3, session.credit(5, related_id="bet", transaction_id="second win"))
    assert changes(tenant, "bet") == [(at(1), "recorded", "bet"), (at(2), "settled", "win")]
    assert life(tenant, "bet")["state"] == "settled"


def test_a_bet_that_was_forbidden_before_it_came_is_told_by_its_tombstone(
    wallet: Wallet, tenant: Tenant, session: Session
) -> None:
    accept_at(wallet, 1, session.rollback("late", transaction_id="stone"))
    accept_at(wallet, 2, session.rollback("late", transaction_id="again"))
    assert wallet.refuse(session.debit(transaction_id="late")) == "transaction_rolled_back"
    found = life(tenant, "late")
    assert (found["state"], found["changes"]) == (
        "cancelled", [{"at": at(1), "change": "tombstoned", "by": "stone"}],
    )  # fmt: skip
    assert [(row["transactionId"], row["effect"]) for row in found["rollbacks"]] == [
        ("stone", "tombstone"), ("again", "tombstone"),
    ]  # fmt: skip
    assert life(tenant, "stone")["tombstone"] is True
    assert [(row["attempt"], row["times"]) for row in found["attempts"]] == [("late_debit", 1)]


def test_a_refused_bet_that_was_rolled_back_shows_both(wallet: Wallet, tenant: Tenant, session: Session) -> None:
    tenant.set_session(session.session_id, loss_limit_minor=0)
    wallet.set_clock(NOW + timedelta(minutes=1))
    assert wallet.refuse(session.debit(transaction_id="bet")) == "limit_exceeded"
    accept_at(wallet, 2, session.rollback("bet", transaction_id="stone"))
    found = life(tenant, "bet")
    assert (found["state"], found["refusal"], found["head"], found["postings"]) == (
        "refused", "limit_exceeded", None, [],
    )  # fmt: skip
    assert changes(tenant, "bet") == [(at(1), "refused", "bet"), (at(2), "tombstoned", "stone")]


def test_the_opening_deposit_has_a_life_too(tenant: Tenant) -> None:
    found = life(tenant, "§opening-balance")
    assert (found["kind"], found["state"], found["session"], found["round"], found["signature"]) == (
        "deposit", "committed", None, None, None,
    )  # fmt: skip


def test_without_a_player_everybodys_transaction_of_the_id_is_told(
    wallet: Wallet, tenant: Tenant, session: Session
) -> None:
    wallet.bet(session, transaction_id="same")
    wallet.accept(wallet.open_session("2").rollback("same"))
    assert [(found["userId"], found["state"]) for found in told(tenant, "same")] == [
        ("1", "committed"), ("2", "cancelled"),
    ]  # fmt: skip
    assert [found["userId"] for found in told(tenant, "same", "--user", "2")] == ["2"]


def test_an_id_that_was_never_seen_is_said_to_be_so(tenant: Tenant) -> None:
    result = run(tenant, "nobody's")
    assert (result.exit_code, result.stdout) == (1, "")
    assert (len(result.stderr.splitlines()), "nobody's" in result.stderr) == (1, True)


def test_without_a_database_nothing_is_said_about_the_id() -> None:
    result = CliRunner().invoke(main, ["transaction", "t"], env={"CASINO_OWNER_DATABASE_URL": ""})
    assert (result.exit_code, result.stdout) == (2, "")


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_person_reads_the_same_facts_and_nobody_reads_a_token(
    wallet: Wallet, tenant: Tenant, session: Session, form: tuple[str, ...]
) -> None:
    """Row H1. What a life is told from holds a token's hash: not even that is shown."""
    bet = session.debit(transaction_id="bet", reason="[bold]fun[/bold]")
    wallet.accept(bet)
    wallet.run(bet)
    wallet.accept(session.rollback("bet", transaction_id="undo"))
    result = run(tenant, "bet", "--user", "1", *form)
    assert result.exit_code == 0
    for fact in ("rolled_back", "undo", bet.request_id, "house_games", "replay", "[bold]fun[/bold]", str(999_000)):
        assert fact in result.stdout, fact
    assert session.token not in result.stdout
    assert token_hash(session.token) not in result.stdout
