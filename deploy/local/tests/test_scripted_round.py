"""The verdict on a report: the expected figures pass, every other figure fails and is named."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from local_stack.certificates import Authority
from local_stack.round_table import print_verdict
from local_stack.scripted_round import DEMO_START_MINOR, RoundNotPlayedError, judge, play_round
from local_stack.tls_peers import GOOD, Issuer, peer

# Copied by hand from the seed document's table, not computed.
SEED_BALANCES = [1_000_000, 999_000, 998_000, 999_000, 1_001_000, 1_001_000, 1_001_000, 1_001_000, 1_001_000]
ACTIONS = ["balance_check", "bet_1", "bet_2", "rollback_bet_2", "payout"]
ACTIONS += ["final_balance_check", "idempotency_retry", "tombstone_rollback", "rejected_rollback"]

Report = dict[str, Any]


def report(*, shifted_by: int = 0) -> Report:
    steps = [
        {
            "step": number,
            "action": action,
            "amount": "0",
            "balance": str(balance + shifted_by),
            "status": 400 if number == 9 else 200,
            "passed": True,
            "validates": "something",
        }
        for number, (action, balance) in enumerate(zip(ACTIONS, SEED_BALANCES, strict=True), start=1)
    ]
    return {
        "passed": True,
        "currency": "USD",
        "startBalance": str(1_000_000 + shifted_by),
        "finalBalance": str(1_001_000 + shifted_by),
        "netProfit": "1000",
        "steps": steps,
    }


def printed(content: Report) -> str:
    console = Console(width=120, record=True, file=None, quiet=False)
    with console.capture() as captured:
        print_verdict(console, judge(content, start_minor=DEMO_START_MINOR))
    return captured.get()


def test_the_figures_of_the_seed_pass() -> None:
    assert judge(report(), start_minor=DEMO_START_MINOR).passed
    assert printed(report()).rstrip().endswith("PASSED  final balance 1,001,000 USD")


def test_a_round_from_another_opening_balance_passes_only_where_that_is_allowed() -> None:
    assert judge(report(shifted_by=5)).passed
    assert not judge(report(shifted_by=5), start_minor=DEMO_START_MINOR).passed


def spoil_step(number: int, **changes: object) -> Callable[[Report], None]:
    return lambda content: content["steps"][number - 1].update(changes)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (spoil_step(7, balance="1000000"), "step 7 (idempotency_retry): balance is 1000000 instead of 1001000"),
        (spoil_step(4, balance=None), "step 4 (rollback_bet_2): balance is None instead of 999000"),
        (spoil_step(4, balance=999000), "step 4 (rollback_bet_2): balance is None instead of 999000"),
        (spoil_step(9, status=200), "step 9 (rejected_rollback): status is 200 instead of 400"),
        (spoil_step(2, passed=False), "step 2 (bet_1): passed is False instead of True"),
        (spoil_step(3, action="bet_3"), "step 3 (bet_2): action is 'bet_3' instead of 'bet_2'"),
        (spoil_step(5, problem="the wallet was unsigned"), "step 5 (payout): the wallet was unsigned"),
        (lambda content: content["steps"].pop(), "the number of steps is 8 instead of 9"),
        (lambda content: content.update(finalBalance="1002000"), "finalBalance is 1002000 instead of 1001000"),
        (lambda content: content.update(netProfit="-1000"), "netProfit is -1000 instead of 1000"),
        (lambda content: content.update(startBalance="999999"), "startBalance is 999999 instead of 1000000"),
        (lambda content: content.update(passed=False), "passed is False instead of True"),
    ],
)
def test_a_wrong_figure_fails_the_round_and_is_named(spoil: Callable[[Report], None], reason: str) -> None:
    content = copy.deepcopy(report())
    spoil(content)
    verdict = judge(content, start_minor=DEMO_START_MINOR)
    assert not verdict.passed
    assert reason in verdict.reasons
    assert "FAILED" in printed(content)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_casino_with_tls_is_told_from_one_that_is_not_there(tmp_path: Path, scheme: str) -> None:
    authority = Authority()
    with peer(GOOD, Issuer(authority, tmp_path)) as port, pytest.raises(RoundNotPlayedError) as refused:
        play_round(f"{scheme}://127.0.0.1:{port}")
    assert "PROVIDER_CA_FILE" in str(refused.value)
    with pytest.raises(RoundNotPlayedError) as refused:
        play_round(f"{scheme}://127.0.0.1:1")
    for cure in ("make serve", "CASINO_PORT", "CASINO_URL"):
        assert cure in str(refused.value)


def test_a_missing_authority_is_named(tmp_path: Path) -> None:
    with pytest.raises(RoundNotPlayedError, match="PROVIDER_CA_FILE"):
        play_round("https://127.0.0.1:1", ca_file=tmp_path / "none.pem")
