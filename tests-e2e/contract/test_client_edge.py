"""What bounds a player's own client, over real processes: the token bucket and the fingerprint (protocol section 10).

Row G2, Row E7. Pitfalls 7, 20 and 21.
"""

import asyncio
import time

import httpx
import pytest

from e2e_testing.answers import Answer, judged
from e2e_testing.game_session import GameSession
from e2e_testing.signing_client import TIMEOUT_SECONDS
from e2e_testing.stack import Stack, StartStack
from shared_service_testing.waiting import wait_until

BURST, PER_SECOND = 10, 5
DEFAULT_LIMIT = {"CASINO_CLIENT_BURST": str(BURST), "CASINO_CLIENT_PER_SECOND": str(PER_SECOND)}
PRESSURE_SECONDS = 2.0
CALLERS = 6


def play(stack: Stack, session: GameSession, *, agent: str) -> Answer:
    """A round in a session that the client has already, with the browser that it says it is."""
    content = {"userId": session.user_id, "gameId": "1", "sessionToken": session.token}
    return stack.as_player("simulateRound", content, {"user-agent": agent})


async def pressure(urls: list[str], player_id: str, *, until: float) -> list[Answer]:
    """Callers that never wait, over all services at once: as many calls a second as the machine gives."""
    answers: list[Answer] = []

    async def call_again_and_again(client: httpx.AsyncClient, number: int) -> None:
        # A game that is not there is refused right behind the gate: no call waits for a provider.
        content = {"userId": player_id, "gameId": "none"}
        while time.monotonic() < until:
            url = f"{urls[number % len(urls)]}/casino/launchGame"
            answers.append(judged(await client.post(url, json=content), signature=""))

    async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False, verify=False) as client:
        await asyncio.gather(*(call_again_and_again(client, number) for number in range(CALLERS)))
    return answers


@pytest.mark.anyio
@pytest.mark.slow
async def test_over_processes_and_a_restart_a_player_calls_as_often_as_is_set(start_stack: StartStack) -> None:
    """Row G2: two services with two workers each on one database; the rate is what is set, within a tenth."""
    two_workers = DEFAULT_LIMIT | {"CASINO_WORKERS": "2"}
    one = start_stack(casino_settings=two_workers)
    other = start_stack(like=one, casino_settings=two_workers)
    player = one.open_player()
    started = one.books.row("select clock_timestamp() as at")["at"]
    urls = [one.casino.base_url, other.casino.base_url]
    answers = await pressure(urls, player, until=time.monotonic() + PRESSURE_SECONDS)
    one.casino_process.kill_9()
    one.casino_process.restart()
    answers += await pressure(urls, player, until=time.monotonic() + PRESSURE_SECONDS)
    ended = one.books.row("select clock_timestamp() as at")["at"]

    verdicts = [answer.verdict for answer in answers]
    # Who waits for a database process that stands still is told so in time.
    assert verdicts.count((503, "overloaded")) < 0.1 * len(verdicts)
    assert set(verdicts) - {(503, "overloaded")} == {(404, "game_not_found"), (429, "rate_limited")}
    assert {answer.headers["retry-after"] for answer in answers if answer.status == 429} == {"1"}
    # While the service starts again the bucket fills, but no further than to its rim.
    most = BURST + PER_SECOND * (ended - started).total_seconds()
    least = BURST + PER_SECOND * 2 * PRESSURE_SECONDS
    assert 0.9 * least <= verdicts.count((404, "game_not_found")) <= 1.1 * most
    assert len(verdicts) > 3 * verdicts.count((404, "game_not_found")), "there was pressure"


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
