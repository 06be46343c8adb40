"""Protocol section 7: every call is written down before it is sent, by a process that anybody can replace."""

from pathlib import Path

import pytest

from e2e_testing.fault import Fault, Gate
from e2e_testing.service_process import ServiceProcess
from faults.faulty_stack import FaultyStack, step_of
from local_stack.ports import free_port

MONEY_STEPS = {"bet_1": ("debit", 1), "bet_2": ("debit", 2), "rollback_bet_2": ("rollback", 1), "payout": ("credit", 1)}


@pytest.mark.parametrize("step", MONEY_STEPS)
def test_a_call_is_in_the_books_before_it_leaves_and_no_transaction_is_open_meanwhile(
    faulty: FaultyStack, step: str
) -> None:
    session, gate = faulty.stack.session(), Gate()
    endpoint, number = MONEY_STEPS[step]
    rule = faulty.add_fault(step_of(session, endpoint, number), Fault(hold_before=gate))
    playing = faulty.start_round(session)
    gate.wait_for_arrival()
    written = {str(row["transaction_id"]): row["state"] for row in faulty.provider_rows(session)}
    open_transactions = faulty.database.rows(
        "select pid, state, query from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid() and state like 'idle in transaction%%'"
    )
    gate.open()
    playing.wait()
    assert written[str(rule.hits[0].transaction_id)] == "pending"
    assert open_transactions == [], "a wallet call was made while a database transaction was open"
    assert playing.passed, playing.answer and playing.answer.content


@pytest.mark.slow
def test_another_process_finishes_what_a_dead_one_left_over(fresh_faulty: FaultyStack, tmp_path: Path) -> None:
    """Row A2. Nobody restarts the dead one: its leases run out, and whoever is alive takes over."""
    faulty, gates = fresh_faulty, {step: Gate() for step in MONEY_STEPS}
    first = faulty.stack.provider_process
    second = ServiceProcess("provider", free_port(), first.environment, tmp_path / "second-provider.log")
    second.restart()
    try:
        rounds = []
        for step, gate in gates.items():
            session = faulty.stack.session()
            faulty.add_fault(step_of(session, *MONEY_STEPS[step]), Fault(hold_after=gate))
            rounds.append(faulty.start_round(session))
        for gate in gates.values():
            gate.wait_for_arrival()
        first.kill_9()
        for gate in gates.values():
            gate.open()
        for playing in rounds:
            playing.wait()
            assert playing.answer is None, "whoever asked the dead one got no answer"
        faulty.let_leases_end()
        faulty.require_agreement()
        moved = [faulty.balance(playing.session) - playing.session.opening_balance_minor for playing in rounds]
        assert moved == [0, 0, 0, 1000], "unpaid bets came back, the payout was made"
    finally:
        second.stop()
