"""The operator's platform from end to end: fund, issue, redeem, spin, cash out, and every unit is accounted for."""

from typing import Any

import httpx
import pytest

from e2e_testing.platform_player import PlatformPlayer
from e2e_testing.platform_staff import Operator, operator_of
from e2e_testing.signing_client import TIMEOUT_SECONDS
from e2e_testing.stack import Stack

FLOAT_MINOR = 100_000
VOUCHER_MINOR = 20_000
BONUS_MINOR = VOUCHER_MINOR // 2
HOUSE = """
    select account, -sum(amount_minor)::bigint as held_minor from casino.postings
    join casino.wallets using (ledger_id, wallet_id) where tenant_id = any(%(tenants)s) group by account
"""


@pytest.fixture
def operator(stack: Stack) -> Operator:
    if stack.database is None:
        pytest.skip("an owner is made by a command on the casino's own machine")
    return operator_of(stack.casino_process, float_minor=FLOAT_MINOR, verify=stack.casino.verify)


def redeem(stack: Stack, voucher: dict[str, Any]) -> tuple[PlatformPlayer, dict[str, Any]]:
    """A player out of a voucher; the player as the answer shows it."""
    answer = httpx.post(
        f"{stack.casino.base_url}/api/v1/voucher/redeem", json={"code": voucher["code"], "pin": voucher["pin"]},
        verify=stack.casino.verify, trust_env=False, timeout=TIMEOUT_SECONDS,
    )  # fmt: skip
    assert answer.status_code == 201, answer.text
    content = answer.json()
    player = content["player"]
    return PlatformPlayer(stack.casino.base_url, player["playerId"], content["token"], stack.casino.verify), player


def state_of(player: PlatformPlayer) -> dict[str, Any]:
    answer = player.call("GET", "/player/me")
    assert answer.status_code == 200, answer.text
    state: dict[str, Any] = answer.json()["state"]
    return state


def float_of(operator: Operator) -> int:
    balance: int = operator.operator.get(f"/admin/tenants/{operator.agent.tenant_id}")["tenant"]["balanceMinor"]
    return balance


def test_from_a_float_to_a_voucher_to_spins_to_a_cash_out(stack: Stack, operator: Operator) -> None:
    issued = operator.cashier.post(
        f"/voucher/agents/{operator.agent.tenant_id}/vouchers", {"amountMinor": VOUCHER_MINOR}, status=201
    )["voucher"]
    assert (issued["bonusAmountMinor"], float_of(operator)) == (
        BONUS_MINOR, FLOAT_MINOR - VOUCHER_MINOR - BONUS_MINOR,
    )  # fmt: skip
    player, shown = redeem(stack, issued)
    assert (shown["balanceMinor"], shown["bonusAmountMinor"]) == (VOUCHER_MINOR, BONUS_MINOR)

    balance, net = VOUCHER_MINOR, 0
    for _ in range(3):
        result = player.spin()
        balance += result["winMinor"] - 1_000
        net += result["winMinor"] - 1_000
        assert (result["balanceMinor"], result["bonusTriggered"]) == (balance, False)
    state = state_of(player)
    assert (state["balanceMinor"], state["bonusPendingMinor"]) == (balance, BONUS_MINOR)
    assert state["realityCheck"]["netMinor"] == net
    history = player.call("GET", "/player/history").json()["items"]
    assert (len(history), history[0]["roundId"]) == (3, result["betId"])

    paid = operator.agent.post(f"/admin/players/{player.player_id}/cashout", {"reason": "goes home"})["cashout"]
    assert (paid["amountMinor"], paid["forfeitedBonusMinor"]) == (balance, BONUS_MINOR)
    assert paid["agentBalanceMinor"] == float_of(operator) == FLOAT_MINOR + net
    answer = player.ask("too late")
    assert (answer.status_code, answer.json()["code"]) == (401, "TOKEN_INVALID")


def test_a_bonus_is_granted_by_the_round_that_empties_the_wallet(stack: Stack, operator: Operator) -> None:
    issued = operator.agent.post(
        f"/voucher/agents/{operator.agent.tenant_id}/vouchers", {"amountMinor": 1_000}, status=201
    )["voucher"]
    player, _ = redeem(stack, issued)
    balance = 1_000
    for _ in range(500):
        stake = min(balance, 100_000)
        result = player.spin(stake_minor=stake)
        balance += result["winMinor"] - stake
        if result["bonusTriggered"]:
            break
        assert result["balanceMinor"] == balance
    assert balance <= 100, "the trigger"
    assert result["balanceMinor"] == balance + 500
    answer = player.ask("before the acknowledgement")
    assert (answer.status_code, answer.json()["code"]) == (403, "BONUS_ACK_REQUIRED")
    assert state_of(player)["bonusAckRequired"] is True
    player.call("POST", "/player/bonus/ack")
    assert player.ask("before the acknowledgement").status_code == 403, "for ever"
    assert player.ask("after it").json()["code"] == "INSUFFICIENT_BALANCE"
    assert player.spin("of all that is left", stake_minor=1)["balanceMinor"] >= balance + 499
