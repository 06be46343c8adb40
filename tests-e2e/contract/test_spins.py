"""Protocol section 8: a slot that the casino plays for its player, with the debit and the credit on its ledger."""

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from e2e_testing.answers import Answer
from e2e_testing.database import Database
from e2e_testing.game_session import GameSession, JsonObject, new_id
from e2e_testing.signing_client import TIMEOUT_SECONDS
from e2e_testing.stack import CURRENCY, TENANT, Stack

SPINS = 12
GATES = {
    "player_excluded": "update casino.wallets set excluded_until = now() + '1 day' where player_id = %(player)s",
    "limit_exceeded": "update casino.game_sessions set loss_limit_minor = staked_minor - paid_minor"
    " where player_id = %(player)s",
}
"""Each closes the game for any stake, whatever a spin before it won."""
BOOKED = "select kind, amount_minor, state from casino.transactions where round_id = %(round)s order by kind desc"


def body_of(session: GameSession, **changes: object) -> JsonObject:
    content: JsonObject = session.who() | {
        "providerSessionId": session.provider_session_id,
        "gameId": "SLOTS_001",
        "currency": CURRENCY,
        "casinoCode": TENANT,
        "stake": 1000,
        "spinId": new_id(),
    }
    return content | changes


@pytest.fixture
def spin(stack: Stack) -> Callable[..., Answer]:
    client = stack.signing_client(stack.provider)
    return lambda session, **changes: client.post("/provider/spin", body_of(session, **changes)).must_be_signed()


def public(stack: Stack, path: str) -> httpx.Response:
    url, verify = f"{stack.provider.base_url}{path}", stack.provider.verify
    return httpx.get(url, timeout=TIMEOUT_SECONDS, trust_env=False, verify=verify)


def wins_of(model: dict[str, Any], board: list[list[str]]) -> list[dict[str, Any]]:
    """What the lines of a board pay, as docs/fairness.md says it; written here without the provider's code."""
    found = []
    for number, line in enumerate(model["lines"]):
        shown = [board[reel][row] for reel, row in enumerate(line)]
        paid = [pay for pay in model["pays"] if all(s in (pay["symbol"], model["wild"]) for s in shown[: pay["count"]])]
        if paid:
            best = max(paid, key=lambda pay: pay["x100"])
            found.append({"type": "win", "line": number} | best)
    return found


def test_a_spin_moves_the_casinos_ledger_by_its_stake_and_its_win(
    stack: Stack, session: GameSession, spin: Callable[..., Answer]
) -> None:
    balance = session.balance()
    for _ in range(SPINS):
        said = spin(session).must_be_ok().content
        balance += said["win"] - 1000
        assert (said["balance"], session.balance()) == (str(balance), balance)
        document = public(stack, f"/v1/configurations/{said['configuration']['hash']}")
        assert hashlib.sha256(document.content).hexdigest() == said["configuration"]["hash"]
        configuration = document.json()
        model, (drawn, *wins, end) = configuration["model"], said["events"]
        assert drawn["board"] == [
            [reel[(stop + row) % len(reel)] for row in range(model["rows"])]
            for reel, stop in zip(model["reels"], drawn["stops"], strict=True)
        ]
        assert wins == wins_of(model, drawn["board"])
        win = min(int(configuration["maxWin"]), 1000 * sum(each["x100"] for each in wins) // 100)
        assert (said["win"], end) == (win, {"type": "end", "win": win})


def test_the_ledger_has_one_debit_and_one_credit_for_a_spin_whatever_is_repeated(
    session: GameSession, database: Database, spin: Callable[..., Answer]
) -> None:
    spin_id = new_id()
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: spin(session, spinId=spin_id), range(4)))
    last = spin(session, spinId=spin_id).must_be_ok()
    assert {answer.verdict for answer in answers} <= {(200, None), (409, "session_busy")}
    assert {answer.body for answer in answers if answer.status == 200} <= {last.body}
    assert database.rows(BOOKED, round=last.content["roundId"]) == [
        {"kind": "debit", "amount_minor": 1000, "state": "committed"},
        {"kind": "credit", "amount_minor": last.content["win"], "state": "committed"},
    ]


def test_a_spin_that_the_wallet_refuses_has_its_code_and_sentence_for_ever(
    stack: Stack, spin: Callable[..., Answer]
) -> None:
    session = stack.session(balance_minor=1500)
    refused = spin(session, spinId="poor", stake=2000)
    assert refused.verdict == (402, "insufficient_balance")
    own = session.debit(2000)
    assert refused.content["error"] == own.content["error"]
    assert spin(session, spinId="poor", stake=2000).verdict == (402, "insufficient_balance")
    assert spin(session, stake=1000).status == 200
    assert spin(session, spinId="poor", stake=1000).verdict == (422, "idempotency_mismatch")


@pytest.mark.parametrize("code", GATES)
def test_a_gate_of_the_casino_refuses_a_spin_with_what_the_player_may_read(
    session: GameSession, database: Database, spin: Callable[..., Answer], code: str
) -> None:
    played = spin(session, spinId="before").must_be_ok()
    database.change(GATES[code], player=session.user_id)
    answer = spin(session)
    assert answer.verdict == (403, code)
    assert answer.content.get("playerMessage") == session.debit().content.get("playerMessage")
    assert spin(session, spinId="before").body == played.body, "a repetition comes before every gate"


def test_stakes_outside_the_limits_of_the_casino_or_the_studio_are_refused(
    session: GameSession, database: Database, spin: Callable[..., Answer]
) -> None:
    assert spin(session, stake=999).verdict == (400, "stake_too_low")
    assert spin(session, stake=100_001).verdict == (400, "stake_too_high")
    asked = "select from casino.transactions join casino.wallets using (wallet_id) where player_id = %(player)s"
    assert len(database.rows(f"{asked} and kind = 'debit'", player=session.user_id)) == 0


def test_the_catalogue_names_what_can_be_launched(stack: Stack, session: GameSession) -> None:
    game, second = public(stack, "/v1/games").json()["games"]
    assert (second["gameId"], second["volatility"]) == ("SLOTS_002", "high")
    launched = stack.launch(session.user_id).must_be_ok().content
    assert (game["gameId"], game["minBet"], game["maxBet"]) == ("SLOTS_001", "1", launched["maxBet"])
    sheet = public(stack, "/v1/games/SLOTS_001/par")
    document = public(stack, f"/v1/configurations/{game['configuration']['hash']}").json()
    assert hashlib.sha256(sheet.content).hexdigest() == document["parHash"]
    p, q = document["return"]
    assert game["rtp"] == f"{p * 10**6 // q / 10**6:.6f}"
    assert json.loads(sheet.content)["return"] == [p, q]
