"""The nine steps of protocol.md section 5: played by the provider, and again by hand with the independent client."""

from uuid import UUID

from e2e_testing.answers import Answer
from e2e_testing.game_session import GameSession, new_id
from e2e_testing.stack import OPENING_BALANCE_MINOR, Stack

START = OPENING_BALANCE_MINOR

# Step, action, amount, what the wallet holds after the step, status: the table of the seed document.
STEPS = [
    (1, "balance_check", 0, 0, 200),
    (2, "bet_1", 1000, -1000, 200),
    (3, "bet_2", 1000, -2000, 200),
    (4, "rollback_bet_2", 1000, -1000, 200),
    (5, "payout", 2000, 1000, 200),
    (6, "final_balance_check", 0, 1000, 200),
    (7, "idempotency_retry", 0, 1000, 200),
    (8, "tombstone_rollback", 0, 1000, 200),
    (9, "rejected_rollback", 0, 1000, 400),
]
STEP_FIELDS = {"step", "action", "amount", "balance", "status", "passed", "validates", "request", "response"}
REPORT_FIELDS = {"passed", "roundId", "currency", "startBalance", "finalBalance", "netProfit", "steps"}


def require_seed_balances(report: Answer, *, start: int) -> None:
    content = report.must_be_ok().content
    assert content["passed"] is True, content
    assert (content["startBalance"], content["finalBalance"], content["netProfit"]) == (
        str(start),
        str(start + 1000),
        "1000",
    )
    played = [
        (step["step"], step["action"], step["balance"], step["status"], step["passed"]) for step in content["steps"]
    ]
    assert played == [(number, action, str(start + moved), status, True) for number, action, _, moved, status in STEPS]


def test_the_provider_plays_the_round_with_the_balances_of_the_seed(stack: Stack) -> None:
    start = int(stack.launch("1").must_be_ok().content["balance"])
    if stack.database:
        assert start == START
    require_seed_balances(stack.as_player("simulateRound", {"userId": 1, "gameId": 1}), start=start)


def test_a_second_round_starts_from_what_the_first_left(stack: Stack) -> None:
    player = stack.open_player()
    first = stack.simulate(player).must_be_ok().content
    require_seed_balances(stack.simulate(player), start=int(first["finalBalance"]))


def test_the_round_is_played_at_either_game(stack: Stack) -> None:
    player = stack.open_player()
    start = int(stack.launch(player).must_be_ok().content["balance"])
    require_seed_balances(stack.simulate(player, game_id="2"), start=start)


def test_the_report_has_the_shape_of_the_contract(stack: Stack) -> None:
    content = stack.simulate(stack.open_player()).must_be_ok().content
    assert set(content) == REPORT_FIELDS
    assert content["currency"] == "USD"
    assert isinstance(content["roundId"], str)
    for step in content["steps"]:
        assert set(step) == STEP_FIELDS, step["action"]
        assert isinstance(step["request"], dict), step["action"]
        assert isinstance(step["response"], dict), step["action"]
        assert step["validates"], step["action"]
        assert isinstance(step["amount"], str), step["action"]
    assert {step["request"]["roundId"] for step in content["steps"] if "roundId" in step["request"]} == {
        content["roundId"]
    }


def test_the_report_shows_the_amounts_that_were_sent(stack: Stack) -> None:
    steps = stack.simulate(stack.open_player()).must_be_ok().content["steps"]
    sent = {step["action"]: step["request"].get("amount") for step in steps}
    assert (sent["bet_1"], sent["bet_2"], sent["payout"], sent["idempotency_retry"]) == (1000, 1000, 2000, 1000)
    assert steps[6]["request"] == steps[1]["request"]
    assert steps[6]["response"] == steps[1]["response"]


def test_the_rollback_of_a_bet_has_an_id_that_follows_from_the_bets(stack: Stack) -> None:
    """A UUIDv5: every worker and every restart would send the same one."""
    steps = {step["action"]: step for step in stack.simulate(stack.open_player()).must_be_ok().content["steps"]}
    undo = steps["rollback_bet_2"]["request"]
    assert undo["originalTransactionId"] == steps["bet_2"]["request"]["transactionId"]
    assert UUID(undo["transactionId"]).version == 5
    assert undo["transactionId"] != undo["originalTransactionId"]


def test_the_independent_client_plays_the_round_by_hand(stack: Stack) -> None:
    user_id = "2" if stack.database is None else stack.open_player()
    seat = stack.session(user_id)
    start = seat.balance()
    round_id, bet_1, bet_2 = new_id(), new_id(), new_id()

    first = seat.debit(1000, transaction_id=bet_1, round_id=round_id).must_be_ok()
    assert first.money == {"transactionId": bet_1, "balance": str(start - 1000), "currency": "USD", "status": "ok"}
    second = seat.debit(1000, transaction_id=bet_2, round_id=round_id).must_be_ok()
    assert second.balance == start - 2000

    back = new_id()
    undone = seat.rollback(bet_2, round_id=round_id, transaction_id=back).must_be_ok()
    assert undone.money == {"transactionId": back, "balance": str(start - 1000), "currency": "USD", "status": "ok"}

    paid = seat.credit(2000, round_id=round_id, related=bet_1).must_be_ok()
    assert paid.balance == start + 1000
    told = {"userId": user_id, "balance": str(start + 1000), "currency": "USD"}
    assert seat.get_balance().content == told | {"head": paid.content["head"]}

    retried = seat.debit(1000, transaction_id=bet_1, round_id=round_id).must_be_ok()
    assert (retried.body, retried.is_replay) == (first.body, True)

    ghost = new_id()
    entombed = seat.rollback("non-existent-tx-id-" + ghost, round_id=round_id, transaction_id=ghost).must_be_ok()
    assert entombed.money == {
        "transactionId": ghost,
        "balance": str(start + 1000),
        "currency": "USD",
        "status": "ok",
        "tombstone": True,
    }

    rejected = seat.rollback(bet_1, round_id=round_id)
    assert rejected.verdict == (400, "round_has_payout")
    assert seat.balance() == start + 1000


def test_the_provider_refuses_to_simulate_for_a_session_it_does_not_know(stack: Stack, session: GameSession) -> None:
    provider = stack.signing_client(stack.provider)
    refused = provider.post(
        "/provider/simulate",
        {
            "sessionToken": "f" * 64,
            "providerSessionId": new_id(),
            "userId": session.user_id,
            "gameId": "SLOTS_001",
            "currency": "USD",
            "casinoCode": "JAQPOT",
        },
    )
    assert refused.verdict == (404, "session_not_found")


def test_an_unknown_player_plays_no_round(stack: Stack) -> None:
    assert stack.simulate("nobody-by-this-name").verdict == (404, "player_not_found")


def test_no_round_is_played_at_an_unknown_game(stack: Stack) -> None:
    assert stack.simulate(stack.open_player(), game_id="no-such-game").verdict == (404, "game_not_found")
