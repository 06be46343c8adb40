"""What bounds a player's own client, over real processes: the token bucket and the fingerprint (protocol section 10).

Row G2, Row E7. Pitfalls 7, 20 and 21. casino-service/tests/client/test_limits.py has the rate over several processes.
"""

import asyncio

import httpx
import pytest

from e2e_testing.answers import Answer, judged
from e2e_testing.game_session import GameSession
from e2e_testing.signing_client import TIMEOUT_SECONDS
from e2e_testing.stack import Stack, StartStack
from shared_service_testing.waiting import wait_until


def play(stack: Stack, session: GameSession, *, agent: str) -> Answer:
    """A round in a session that the client has already, with the browser that it says it is."""
    content = {"userId": session.user_id, "gameId": "1", "sessionToken": session.token}
    return stack.as_player("simulateRound", content, {"user-agent": agent})


@pytest.mark.provokes("rate_limited")
@pytest.mark.slow
def test_a_limited_player_is_told_when_and_another_player_and_every_callback_go_on(start_stack: StartStack) -> None:
    stack = start_stack(casino_settings={"CASINO_CLIENT_BURST": "2", "CASINO_CLIENT_PER_SECOND": "1"})
    session = stack.session()
    refused: list[Answer] = []

    def is_refused() -> bool:
        answer = stack.launch(session.user_id)
        assert answer.verdict in ((201, None), (429, "rate_limited"))
        refused.extend([answer] * (answer.status == 429))
        return bool(refused)

    wait_until(is_refused, "launches come faster than one a second")
    assert {int(answer.headers["retry-after"]) for answer in refused} <= {1, 2}
    assert stack.launch(stack.open_player()).status == 201
    for _ in range(10):
        won, undone = session.bet(), session.bet()
        session.credit(2000, round_id=won.round_id, related=won.transaction_id).must_be_ok()
        session.rollback(undone.transaction_id, round_id=undone.round_id).must_be_ok()
    assert session.balance() == session.opening_balance_minor + 10 * 1000


@pytest.mark.provokes("session_fingerprint_mismatch", "session_expired")
def test_a_session_is_played_in_by_the_browser_that_launched_it_and_by_no_other(stack: Stack) -> None:
    own_agent = str(stack.client.headers["user-agent"])
    session = stack.session()
    start = session.balance()
    assert play(stack, session, agent=own_agent).must_be_ok().content["passed"] is True
    bet = session.bet()
    assert play(stack, session, agent="another browser").verdict == (403, "session_fingerprint_mismatch")
    assert session.debit().verdict == (404, "session_expired")
    session.credit(2000, round_id=bet.round_id, related=bet.transaction_id).must_be_ok()
    assert session.debit().verdict == (404, "session_expired"), "a win reopens nothing"
    assert play(stack, session, agent=own_agent).verdict == (404, "session_expired")
    fresh = stack.session(session.user_id)
    assert fresh.balance() == start + 1000 - 1000 + 2000


@pytest.mark.anyio
async def test_two_tabs_play_in_one_session_without_spoiling_each_other(stack: Stack) -> None:
    """Row E7: each round is played whole, or told to wait, or ended; the books hold what the tabs were told."""
    own_agent = str(stack.client.headers["user-agent"])
    session = stack.session()
    content = {"userId": session.user_id, "gameId": "1", "sessionToken": session.token}

    headers, path = {"user-agent": own_agent}, f"{stack.casino.base_url}/casino/simulateRound"
    async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False, verify=False, headers=headers) as client:
        responses = await asyncio.gather(*(client.post(path, json=content) for _ in range(4)))
    answers = [judged(response, signature="") for response in responses]
    assert {answer.status for answer in answers} <= {200, 409}, [answer.verdict for answer in answers]
    reports = [answer.content for answer in answers if answer.status == 200]
    assert reports
    alone = play(stack, session, agent=own_agent).must_be_ok().content
    assert alone["passed"] is True, "and afterwards the session plays as before"
