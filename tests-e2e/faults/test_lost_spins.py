"""Spins whose calls get lost between the services: one outcome for each spin id, and two books that agree."""

import time
from dataclasses import dataclass

import pytest

from e2e_testing.answers import Answer
from e2e_testing.fault import Fault
from e2e_testing.game_session import GameSession, new_id
from e2e_testing.stack import CURRENCY, TENANT
from faults.faulty_stack import FaultyStack, step_of

PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 0.1
BUSY = (409, "session_busy")
LOSSES = {
    "the call is lost": Fault(forwards=False, cuts=True),
    "the answer is lost": Fault(cuts=True),
}


@dataclass
class Spinner:
    """Asks for spins as the casino does: again with the same id until the outcome is known."""

    faulty: FaultyStack
    session: GameSession

    def ask(self, spin_id: str) -> Answer:
        content = self.session.who() | {
            "providerSessionId": self.session.provider_session_id,
            "gameId": "SLOTS_001",
            "currency": CURRENCY,
            "casinoCode": TENANT,
            "stake": 1000,
            "spinId": spin_id,
        }
        return self.faulty.stack.signing_client(self.faulty.stack.provider).post("/provider/spin", content)

    def ask_until_known(self, spin_id: str) -> Answer:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (answer := self.ask(spin_id)).verdict == BUSY:
            assert time.monotonic() < deadline, "the outcome never became known"
            time.sleep(PAUSE_SECONDS)
        return answer


@pytest.fixture
def spinner(faulty: FaultyStack) -> Spinner:
    return Spinner(faulty, faulty.stack.session())


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_a_spin_whose_debit_gets_lost_is_taken_back_for_ever(spinner: Spinner, loss: Fault) -> None:
    session, spin_id = spinner.session, new_id()
    spinner.faulty.add_fault(step_of(session, "debit"), loss)
    for _ in range(2):
        assert spinner.ask_until_known(spin_id).verdict == (502, "operator_unreachable")
    assert session.balance() == session.opening_balance_minor
    played = spinner.ask_until_known(new_id()).must_be_ok().content
    assert session.balance() == session.opening_balance_minor - 1000 + played["win"]
    assert spinner.ask(spin_id).verdict == (502, "operator_unreachable")


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_a_spin_whose_payout_gets_lost_is_paid_what_was_drawn(spinner: Spinner, loss: Fault) -> None:
    session, spin_id = spinner.session, new_id()
    spinner.faulty.add_fault(step_of(session, "credit"), loss)
    said = spinner.ask_until_known(spin_id).must_be_ok()
    assert said.content["balance"] == str(session.balance())
    assert session.balance() == session.opening_balance_minor - 1000 + said.content["win"]
    (draw,) = spinner.faulty.database.rows(
        "select events from provider.draws where round_id = %(round)s::uuid", round=said.content["roundId"]
    )
    assert draw["events"] == said.content["events"]
    assert spinner.ask(spin_id).body == said.body
