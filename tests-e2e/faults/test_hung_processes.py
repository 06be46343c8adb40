"""A process that hangs and comes back: SIGSTOP and SIGCONT, while another process serves."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e_testing.both_books import require_agreement
from e2e_testing.database import Database
from e2e_testing.fault import Fault, Gate
from e2e_testing.service_process import ServiceProcess
from faults.faulty_stack import FAST_PROVIDER, FaultyStack, step_of
from faults.two_casinos import TwoCasinos, two_casinos
from local_stack.ports import free_port
from local_stack.testing import PostgresServer
from shared_service_testing.sampling import sampled
from shared_service_testing.waiting import wait_until

pytestmark = pytest.mark.slow


@contextmanager
def hung(service: ServiceProcess) -> Iterator[None]:
    assert service.process is not None
    service.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        service.process.send_signal(signal.SIGCONT)


@pytest.fixture(scope="module")
def shared_pair(
    server: PostgresServer, template: Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TwoCasinos]:
    with two_casinos(server, template, tmp_path_factory.mktemp("hung"), provider_settings=FAST_PROVIDER) as both:
        yield both


@pytest.fixture
def pair(shared_pair: TwoCasinos) -> Iterator[TwoCasinos]:
    shared_pair.faulty.proxy.heal()
    yield shared_pair
    shared_pair.faulty.proxy.heal()
    require_agreement(shared_pair.faulty.database)


def answers_to(faulty: FaultyStack, transaction_id: str | None) -> list[tuple[int, str | None]]:
    told = faulty.proxy.deliveries_of(transaction_id)
    return [(one.answer.status, one.answer.content.get("code")) for one in told if one.answer]


def test_a_bet_that_hung_in_a_frozen_process_is_dead_when_its_rollback_was_served_by_another(pair: TwoCasinos) -> None:
    """Row A11. The bet lies in the socket of a frozen casino; the other one entombs it; the thaw finds the stone."""
    faulty, gate = pair.faulty, Gate()
    session = faulty.stack.session()
    pair.send_to(pair.first)
    rule = faulty.add_fault(step_of(session, "debit", 2), Fault(hold_before=gate))
    playing = faulty.start_round(session)
    gate.wait_for_arrival()
    with hung(pair.first):
        gate.open()
        bet = rule.hits[0].transaction_id
        wait_until(
            lambda: any(call.transaction_id == bet for call in faulty.proxy.upstream.sent), "the bet was not sent"
        )
        # It lies in the frozen one's socket. From now on the other one is asked.
        pair.send_to(pair.second)
        playing.wait()
        assert playing.failed_step == "bet_2"
        faulty.require_agreement()
        assert faulty.balance(session) == session.opening_balance_minor
        pair.second.wait_until_ready()  # the other process serves
    assert answers_to(faulty, bet) == [(400, "transaction_rolled_back")]
    assert faulty.balance(session) == session.opening_balance_minor


@pytest.mark.parametrize("step", sampled([("debit", 1), ("rollback", 1), ("credit", 1)], 2), ids=lambda step: step[0])
def test_a_frozen_casino_leaves_a_round_that_ends_right_when_it_thaws(pair: TwoCasinos, step: tuple[str, int]) -> None:
    """Row A11. Nobody else serves: what was asked meanwhile is done late or not at all, and both books agree."""
    faulty, gate = pair.faulty, Gate()
    pair.send_to(pair.first)
    session = faulty.stack.session()
    faulty.add_fault(step_of(session, *step), Fault(hold_before=gate))
    playing = faulty.start_round(session)
    gate.wait_for_arrival()
    with hung(pair.first):
        gate.open()
        playing.wait()
        assert not playing.passed
    faulty.require_agreement()
    won = 1000 if step[0] == "credit" else 0
    assert faulty.balance(session) == session.opening_balance_minor + won


def test_a_frozen_provider_whose_round_another_one_ended_changes_nothing_when_it_thaws(
    pair: TwoCasinos, tmp_path: Path
) -> None:
    """Row A11. Its lease ran out, its bet was taken back: the answer that it held counts no more."""
    faulty, gate = pair.faulty, Gate()
    first = faulty.stack.provider_process
    second = ServiceProcess("provider", free_port(), first.environment, tmp_path / "second-provider.log")
    second.restart()
    try:
        session = faulty.stack.session()
        faulty.add_fault(step_of(session, "debit", 1), Fault(hold_after=gate))
        playing = faulty.start_round(session)
        gate.wait_for_arrival()
        with hung(first):
            gate.open()
            faulty.require_agreement()
            assert faulty.balance(session) == session.opening_balance_minor, "the other process took the bet back"
        playing.wait()
        assert not playing.passed
        faulty.require_agreement()
        assert faulty.balance(session) == session.opening_balance_minor
    finally:
        second.stop()
