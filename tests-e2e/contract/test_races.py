"""Protocol section 4 (2) and (4): whatever runs at the same time, one effect for one id, and no balance below zero.

casino-service/tests/wallet/test_races.py has the wallet alone, tests-e2e/faults/test_storms.py two casino processes.
"""

import asyncio
import random
from collections import Counter

import pytest

from e2e_testing.answers import Answer
from e2e_testing.game_session import GameSession, JsonObject
from e2e_testing.signing_client import ParallelSigningClient
from e2e_testing.stack import Stack

pytestmark = pytest.mark.anyio

COPIES = 20
BUSY_TRIES_MAX = 50


async def post_all(stack: Stack, calls: list[tuple[str, JsonObject]]) -> list[Answer]:
    """Every call on a connection of its own, all in flight at once."""
    async with ParallelSigningClient(stack.casino, connections=len(calls)) as client:
        return await asyncio.gather(*(client.post(f"/casino/{endpoint}", content) for endpoint, content in calls))


async def posted_while_busy(client: ParallelSigningClient, endpoint: str, content: JsonObject) -> Answer:
    """Sends the same id again while the wallet is busy, as every caller does."""
    for _ in range(BUSY_TRIES_MAX):
        answer = await client.post(f"/casino/{endpoint}", content)
        if answer.status != 409:
            break
        await asyncio.sleep(0.005)
    return answer


def retried_while_busy(session: GameSession, endpoint: str, content: JsonObject, answer: Answer) -> Answer:
    """What a caller does with 409: the same id again."""
    for _ in range(BUSY_TRIES_MAX):
        if answer.status != 409:
            return answer
        answer = session.post(endpoint, content)
    return answer


async def test_identical_commands_in_flight_at_once_have_one_effect(stack: Stack, session: GameSession) -> None:
    """Row B2."""
    bet, undone = session.bet(), session.bet()
    start, stake = session.balance(), session.debit_content()
    win = session.credit_content(5000, round_id=bet.round_id, related=bet.transaction_id)
    undo = session.rollback_content(undone.transaction_id, round_id=undone.round_id)
    calls = [("debit", stake), ("credit", win), ("rollback", undo)]
    answers = await post_all(stack, calls * COPIES)
    for number, call in enumerate(calls):
        copies = answers[number :: len(calls)]
        settled = [retried_while_busy(session, *call, answer) for answer in copies]
        assert {answer.status for answer in settled} == {200}
        assert len({answer.body for answer in settled}) == 1, "byte for byte the same answer"
        assert [answer.is_replay for answer in copies if answer.status == 200].count(False) == 1, "one was the first"
    assert session.balance() == start - 1000 + 5000 + 1000


async def test_the_last_stake_is_spent_once_by_fifty_bets_of_two_sessions_at_once(stack: Stack) -> None:
    """Row G1. Pitfall 7."""
    poor = stack.session(balance_minor=1000)
    calls = [("debit", seat.debit_content(1000)) for seat in (poor, stack.session(poor.user_id)) for _ in range(25)]
    answers = await post_all(stack, calls)
    settled = [retried_while_busy(poor, *call, answer) for call, answer in zip(calls, answers, strict=True)]
    assert Counter(answer.verdict for answer in settled) == {(200, None): 1, (402, "insufficient_balance"): 49}
    assert poor.balance() == 0


async def test_a_payout_and_a_rollback_at_once_never_both_happen(stack: Stack, session: GameSession) -> None:
    """Row B5."""
    start, bets = session.balance(), [session.bet() for _ in range(40)]
    ends: Counter[tuple[str | None, str | None]] = Counter()
    async with ParallelSigningClient(stack.casino, connections=2) as client:
        for bet in bets:
            win = session.credit_content(3000, round_id=bet.round_id, related=bet.transaction_id)
            undo = session.rollback_content(bet.transaction_id, round_id=bet.round_id)
            calls = [("credit", win), ("rollback", undo)]
            random.shuffle(calls)
            answers = await asyncio.gather(*(posted_while_busy(client, *call) for call in calls))
            done = {endpoint: answer.code for (endpoint, _), answer in zip(calls, answers, strict=True)}
            ends[done["credit"], done["rollback"]] += 1
    assert set(ends) <= {(None, "round_has_payout"), ("bet_rolled_back", None)}, ends
    assert session.balance() == start + 2000 * ends[None, "round_has_payout"]
