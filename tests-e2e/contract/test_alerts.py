"""Row H2: real faults on a real stack move the metrics that the shipped rules watch, and the right alerts fire.

Pitfall 25: an outage that nobody is told of. The rules are played by promtool on what was scraped.
"""

import re
import time
from pathlib import Path

import httpx
import pytest

from e2e_testing.game_session import new_id
from e2e_testing.recording import RULES, Recording
from e2e_testing.service_process import run_command
from e2e_testing.stack import Stack, StartStack
from local_stack.certificates import Authority

EAGER_PROVIDER = {
    "PROVIDER_OUTBOX_INTERVAL_SECONDS": "0.1",
    "PROVIDER_RETRY_FIRST_SECONDS": "0.2",
    "PROVIDER_RECONCILE_AT": "off",
}
AGE_WHAT_IS_PENDING = """
    update provider.wallet_transactions set created_at = created_at - interval '10 minutes' where state = 'pending'
"""
BREAK_WALLET = "alter function casino.execute_wallet_commands(integer, jsonb) rename to gone"
MEND_WALLET = "alter function casino.gone(integer, jsonb) rename to execute_wallet_commands"


@pytest.fixture(scope="module")
def watched(start_module_stack: StartStack) -> Stack:
    """One stack for nearly all faults: a recording begins where the one before has ended."""
    return start_module_stack(provider_settings=EAGER_PROVIDER, authority=Authority())


def recording_of(stack: Stack) -> Recording:
    """A recording whose first scrape is of a calm stack."""
    started = Recording(stack)
    started.until(
        lambda seen: (
            wallet_health(stack).json()["status"] != "down"
            and seen.value("provider_books_readable") == 1
            and abs(seen.value("casino_peer_clock_skew_seconds")) < 30
            and seen.value("provider_pending_transactions") == seen.value("provider_reconciliation_differences") == 0
        )
    )
    return started


@pytest.fixture
def recording(watched: Stack) -> Recording:
    return recording_of(watched)


def wallet_health(stack: Stack) -> httpx.Response:
    return httpx.get(f"{stack.provider_process.ops_url}/health/wallet", timeout=30, trust_env=False, verify=False)


def play(stack: Stack, rounds: int = 1) -> None:
    for _ in range(rounds):
        stack.simulate(stack.open_player())


def test_every_metric_that_a_rule_counts_on_is_there_from_the_start(recording: Recording) -> None:
    recording.stack.simulate(recording.stack.open_player())
    shown = {name for name, _ in recording.scrape()}
    expressions = "".join(re.findall(r"expr:(.+?)(?:for|labels):", RULES.read_text(), re.DOTALL))
    expanded = expressions.replace('{__name__=~"(casino|provider)_', "casino_")
    wanted = set(re.findall(r"\b(?:casino|provider)_[a-z_]+[a-z]\b", expanded))
    assert len(wanted) > 12
    assert wanted <= shown
    codes = set(re.findall(r'code=~?"([a-z_|]+)"', expressions))
    known = {dict(labels)["code"] for name, labels in recording.scrapes[0] if name.endswith("_requests_total")}
    assert {code for each in codes for code in each.split("|")} <= known, "a code that no answer has"


def test_rounds_that_go_well_raise_no_alarm(recording: Recording, tmp_path: Path) -> None:
    for _ in range(8):
        play(recording.stack)
        recording.scrape()
    assert recording.value("provider_wallet_calls_total", outcome="accepted") > 0
    recording.fires(tmp_path)


def test_a_casino_that_is_killed_is_down_at_once_and_well_again_without_a_restart_of_the_provider(
    recording: Recording, tmp_path: Path
) -> None:
    stack = recording.stack
    recording.until(lambda seen: seen.value("provider_wallet_health", state="healthy") == 1)
    provider_id, calm = stack.provider_process.pid, wallet_health(stack)
    assert (calm.status_code, calm.json()["status"]) == (200, "healthy")
    stack.casino_process.kill_9()
    try:
        recording.until(lambda seen: seen.value("provider_wallet_health", state="down") == 1)
        down = wallet_health(stack)
        assert (down.status_code, down.json()["status"]) == (503, "down")
        assert down.json()["since"] > calm.json()["since"]
    finally:
        stack.casino_process.restart()
    recording.fires(tmp_path, "WalletDown", "CasinoMetricsAbsent")
    recording.until(lambda seen: seen.value("provider_wallet_health", state="healthy") == 1)
    assert wallet_health(stack).json()["status"] == "healthy"
    assert stack.provider_process.pid == provider_id


def test_a_wallet_that_answers_500_raises_its_own_alarm_and_the_providers(recording: Recording, tmp_path: Path) -> None:
    stack = recording.stack
    stack.books.rows(BREAK_WALLET)
    try:
        for _ in range(9):
            play(stack)
            recording.scrape()
        assert recording.value("provider_wallet_calls_total", outcome="unknown", code="operator_unreachable") > 0
        stack.books.change(AGE_WHAT_IS_PENDING)
        recording.until(lambda seen: seen.value("provider_pending_oldest_seconds", kind="rollback") > 600)
    finally:
        stack.books.rows(MEND_WALLET)
    alerts = ("InternalErrors", "WalletErrorRateHigh", "RollbackPendingTooLong", "DebitsInDoubt")
    recording.fires(tmp_path, *alerts, besides="WalletDown")


def test_a_clock_that_is_off_raises_its_alarm_before_anything_is_refused(recording: Recording, tmp_path: Path) -> None:
    stack, session = recording.stack, recording.stack.session()
    signer = stack.wallet.signer
    late = signer.prepare("POST", "/casino/getBalance", session.who(), timestamp=int(time.time()) - 45)
    assert stack.wallet.send(late).status == 200
    recording.scrape()
    assert 44 <= recording.value("casino_peer_clock_skew_seconds") <= 60
    recording.fires(tmp_path, "ClockSkew")
    session.balance()


def test_a_planted_drift_raises_its_alarm_once_reconciliation_found_it(start_stack: StartStack, tmp_path: Path) -> None:
    """On a stack of its own: other tests send bets past the provider, which reconciliation reports as differences."""
    stack = start_stack(provider_settings=EAGER_PROVIDER, authority=Authority())
    recording = recording_of(stack)
    play(stack)
    one = stack.books.rows("select transaction_id from provider.wallet_transactions where kind = 'credit' limit 1")[0]
    drift = "update provider.wallet_transactions set amount_minor = amount_minor + %(by)s where transaction_id = %(id)s"
    environment = stack.provider_process.environment
    stack.books.change(drift, by=1, id=one["transaction_id"])
    try:
        assert run_command("provider", "reconcile", environment).returncode == 1
        recording.until(lambda seen: seen.value("provider_reconciliation_differences") == 1)
    finally:
        stack.books.change(drift, by=-1, id=one["transaction_id"])
    recording.fires(tmp_path, "ReconciliationDifferences")
    assert run_command("provider", "reconcile", environment).returncode == 0


def test_a_forged_and_a_repeated_request_and_another_content_raise_theirs(recording: Recording, tmp_path: Path) -> None:
    stack, session = recording.stack, recording.stack.session()
    prepare, send = stack.wallet.signer.prepare, stack.wallet.send
    bet = session.debit_content()
    assert send(prepare("POST", "/casino/debit", bet)).status == 200
    assert send(prepare("POST", "/casino/debit", bet | {"amount": 1001})).status == 422
    once = prepare("POST", "/casino/getBalance", session.who())
    assert [send(once).status for _ in range(8)] == [200] + [401] * 7
    for _ in range(24):
        forged = prepare("POST", "/casino/debit", session.debit_content(), key="a key that nobody has")
        assert send(forged).status == 401
    recording.scrape()
    recording.fires(tmp_path, "IdempotencyMismatch", "NonceReplays", "SignatureRefusals")


def test_bets_that_come_after_their_rollback_raise_an_alarm(recording: Recording, tmp_path: Path) -> None:
    stack, session = recording.stack, recording.stack.session()
    for _ in range(8):
        late = session.debit_content(transaction_id=new_id())
        undo = session.who() | {
            "transactionId": new_id(), "originalTransactionId": late["transactionId"], "roundId": late["roundId"],
        }  # fmt: skip
        assert stack.wallet.post("/casino/rollback", undo).content["tombstone"] is True
        assert stack.wallet.post("/casino/debit", late).content["code"] == "transaction_rolled_back"
    recording.scrape()
    recording.fires(tmp_path, "LateDebits")
