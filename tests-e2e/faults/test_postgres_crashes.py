"""Postgres dies under load and comes back: nothing acknowledged is lost, what was unknown is found out by asking again.

Row A4 (crash) and Row A11 (hang), invariants I1, I4, I5, I7 and I12. Nobody lifts a finger for the services: their
processes are the same afterwards.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import httpx
import psycopg
import pytest

from e2e_testing.answers import Answer
from e2e_testing.both_books import require_agreement
from e2e_testing.game_session import GameSession, JsonObject, new_id
from e2e_testing.postgres_faults import (
    frozen,
    frozen_processes,
    kill_9,
    kill_one_backend,
    restart,
    stop_immediately,
)
from e2e_testing.service_process import ServiceProcess
from e2e_testing.signing_client import Signer
from e2e_testing.stack import Stack
from faults.betting import NOTHING_DONE, Betting
from faults.postgres_stack import PostgresStack, Rounds, running_server, stack_on
from local_stack.postgres import Postgres
from shared_service_testing.waiting import wait_until

pytestmark = pytest.mark.slow

PLAYERS = 6
ANSWERS_BEFORE = 30
ANSWERS_AFTER = 30
CRASHES = 2
REFUSALS = 6
CONNECTIONS_MAX = 100
FEW_CONNECTIONS = {"max_connections": "60"}
SERVICES = ["casino", "provider"]


@pytest.fixture(scope="module")
def shared_postgres(tmp_path_factory: pytest.TempPathFactory, live_stacks: list[Stack]) -> Iterator[PostgresStack]:
    with (
        running_server(tmp_path_factory.mktemp("postgres-of-its-own"), settings=FEW_CONNECTIONS) as server,
        stack_on(server, tmp_path_factory.mktemp("logs")) as faulty,
    ):
        live_stacks.append(faulty.stack)
        yield faulty
        live_stacks.remove(faulty.stack)


@pytest.fixture
def faulty(shared_postgres: PostgresStack) -> Iterator[PostgresStack]:
    """The same processes before and after; afterwards both sides' books agree."""
    pids = [service.pid for service in shared_postgres.stack.services.values()]
    yield shared_postgres
    require_agreement(shared_postgres.database)
    assert pids == [service.pid for service in shared_postgres.stack.services.values()]


def crash_and_restart(crash: Callable[[Postgres], object]) -> Callable[[Postgres], None]:
    def strike(server: Postgres) -> None:
        crash(server)
        time.sleep(0.1)
        restart(server)

    return strike


CRASHES_BY_NAME: dict[str, Callable[[Postgres], object]] = {
    "kill -9 of the postmaster": crash_and_restart(kill_9),
    "an immediate stop": crash_and_restart(stop_immediately),
    "kill -9 of one backend": kill_one_backend,
}


@pytest.mark.parametrize("strike", CRASHES_BY_NAME.values(), ids=CRASHES_BY_NAME.keys())
def test_a_crash_of_postgres_under_load_loses_nothing_acknowledged(
    faulty: PostgresStack, strike: Callable[[Postgres], object]
) -> None:
    """Row A4."""
    players = [faulty.stack.open_player() for _ in range(2)]
    with Betting(faulty.stack.casino, faulty.sessions(PLAYERS)) as betting, Rounds(faulty, players) as rounds:
        for _ in range(CRASHES):
            betting.wait_for(ANSWERS_BEFORE)
            strike(faulty.server)
        betting.wait_for(ANSWERS_AFTER)
        wait_until(lambda: rounds.answers, "the provider never answered")
    recount = betting.ask_again()
    recount.require_nothing_lost()
    assert recount.acknowledged >= CRASHES * ANSWERS_BEFORE + ANSWERS_AFTER
    assert recount.verdicts["refused"] == 0, "a crash is never an answer to the player"
    assert faulty.stack.simulate(faulty.stack.open_player()).content["passed"] is True


def missing_until_ready(service: ServiceProcess) -> set[str]:
    """What a service says that it misses, until it is ready."""
    missing: set[str] = set()

    def is_ready() -> bool:
        answer = httpx.get(f"{service.url}/health/ready", trust_env=False, verify=False)
        if answer.status_code != 200:
            missing.add(answer.json()["missing"])
        return answer.status_code == 200

    wait_until(is_ready, lambda: f"{service.package} was not ready: {missing}")
    return missing


def test_a_restart_of_postgres_between_two_requests_costs_neither_service_an_error(faulty: PostgresStack) -> None:
    """Row A4. The connections that died while they were idle are noticed before anything is sent on them."""
    session = faulty.sessions(1)[0]
    fill_the_pools(faulty)
    for service in services_of(faulty):
        service.mark_log()
    with frozen_processes([service.pid for service in services_of(faulty)]):  # their loops must not notice first
        faulty.server.stop()
        restart(faulty.server)
    for service in services_of(faulty):
        assert missing_until_ready(service) <= {"recent look"}, "it looked the last time before it was frozen"
    assert faulty.stack.wallet.get("/casino/transactions?after=0&limit=1").status == 200
    assert [session.get_balance().status, session.debit().status] == [200, 200]
    assert faulty.stack.simulate(session.user_id).content["passed"] is True
    for service in services_of(faulty):
        assert "readiness_changed" not in service.log_tail(), "a look failed"


@pytest.mark.parametrize("seconds", [1.5, 6.0], ids=["shorter than any patience", "longer than every patience"])
def test_a_frozen_postgres_makes_players_wait_and_then_everything_is_decided_once(
    faulty: PostgresStack, seconds: float
) -> None:
    """Row A11. Calls whose callers have given up wake together with the rollbacks that were sent after them."""
    players = [faulty.stack.open_player() for _ in range(2)]
    with Betting(faulty.stack.casino, faulty.sessions(PLAYERS), call_seconds=1.0) as betting, Rounds(faulty, players):
        betting.wait_for(ANSWERS_BEFORE)
        with frozen(faulty.server):
            time.sleep(seconds)
            betting.wait_for_unknown()
        betting.wait_for(ANSWERS_AFTER)
    betting.ask_again().require_nothing_lost()


def test_a_late_bet_and_its_rollback_are_decided_once_when_a_frozen_postgres_wakes(faulty: PostgresStack) -> None:
    """Row A11, Row B3, I7. Whichever is executed first, the player has the stake back and the bet is dead."""
    for session in faulty.sessions(4):
        bet, round_id = new_id(), new_id()
        debit = session.debit_content(transaction_id=bet, round_id=round_id)
        rollback = session.rollback_content(bet, round_id=round_id)
        with frozen(faulty.server):
            callers = [
                send_and_give_up(faulty, "debit", debit),
                send_and_give_up(faulty, "rollback", rollback),
            ]
            for caller in callers:
                caller.join()
        until_served(session, "rollback", rollback | {"transactionId": new_id()}).must_be_ok()
        late = until_served(session, "debit", debit)
        state = faulty.stack.wallet.get(f"/casino/transactions/{bet}?userId={session.user_id}").content["state"]
        assert (late.status, state) in [(200, "rolled_back"), (400, "cancelled")]
        assert session.balance() == session.opening_balance_minor


def until_served(session: GameSession, endpoint: str, content: JsonObject) -> Answer:
    """As every caller asks: again, while it is told to come again."""
    answers: list[Answer] = []

    def served() -> bool:
        answers.append(session.post(endpoint, content))
        return answers[-1].status not in NOTHING_DONE

    wait_until(served, lambda: f"turned away {len(answers)} times")
    return answers[-1]


def fill_the_pools(faulty: PostgresStack) -> None:
    """Many calls at once, so that both services have several connections, and all of them are idle afterwards."""
    players = [faulty.stack.open_player() for _ in range(3)]
    with Betting(faulty.stack.casino, faulty.sessions(PLAYERS)) as betting, Rounds(faulty, players):
        betting.wait_for(ANSWERS_BEFORE)


def test_a_postgres_without_a_free_connection_refuses_bets_at_the_door_until_one_is_free(faulty: PostgresStack) -> None:
    """Row D2. The services lose their connections and somebody else has taken all there are."""
    hoard = Hoard(faulty.server)
    with Betting(faulty.stack.casino, faulty.sessions(PLAYERS)) as betting:
        betting.wait_for(ANSWERS_BEFORE)
        try:
            with frozen_processes([service.pid for service in services_of(faulty)]):
                hoard.take_every_connection()
            betting.wait_for_trouble(REFUSALS)
            told = betting.count("acknowledged")
            betting.wait_for_trouble(REFUSALS)
            assert betting.count("acknowledged") == told, "somebody was served: not every connection was taken"
        finally:
            hoard.let_go()
        betting.wait_for(ANSWERS_AFTER)
    assert betting.count("nothing_done") >= REFUSALS
    betting.ask_again().require_nothing_lost()


class Hoard:
    """A client that takes every connection and keeps it."""

    def __init__(self, server: Postgres) -> None:
        self._server = server
        self._taken: list[psycopg.Connection] = []

    def take_every_connection(self) -> None:
        """Also those that the services have: they are ended, and taken before the services can come back."""
        self._take_free()
        self._taken[0].execute(
            "select pg_terminate_backend(pid, 30000) from pg_stat_activity where application_name = any(%s)",
            (SERVICES,),
        )
        self._take_free()

    def _take_free(self) -> None:
        for _ in range(CONNECTIONS_MAX):
            try:
                self._taken.append(psycopg.connect(self._server.url(), autocommit=True))
            except psycopg.OperationalError:
                return

    def let_go(self) -> None:
        for connection in self._taken:
            connection.close()


def services_of(faulty: PostgresStack) -> list[ServiceProcess]:
    return list(faulty.stack.services.values())


def send_and_give_up(faulty: PostgresStack, endpoint: str, content: JsonObject) -> threading.Thread:
    """A caller that sends a call and does not wait for its answer."""

    def send() -> None:
        signed = Signer(faulty.stack.casino).prepare("POST", f"/casino/{endpoint}", content)
        with (
            httpx.Client(timeout=0.3, trust_env=False, verify=False) as client,
            contextlib.suppress(httpx.TimeoutException),
        ):
            client.send(signed.request)

    thread = threading.Thread(target=send)
    thread.start()
    return thread
