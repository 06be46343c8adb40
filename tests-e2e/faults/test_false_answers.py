"""Protocol section 7: answers that lie. None is believed, and the money ends where the wallet's ledger says."""

from dataclasses import dataclass

import pytest

from e2e_testing.answers import CODES_BY_STATUS
from e2e_testing.fault import (
    Call,
    Fault,
    Rewrites,
    changes_field,
    error,
    resign,
    says_signed,
    strips_signature,
    tampers_body,
    tampers_signature,
)
from e2e_testing.stack import DEMO_CASINO_SECRET, DEMO_PROVIDER_SECRET
from e2e_testing.wire import Message
from faults.faulty_stack import FaultyStack, step_of
from shared_service_testing.sampling import paired, sampled

SECRET = DEMO_CASINO_SECRET

# The wallet did what it was asked; what the provider hears of it cannot be believed.
FALSE_ANSWERS: dict[str, Rewrites] = {
    "no signature": strips_signature,
    "a wrong signature": tampers_signature,
    "another balance under the old signature": tampers_body,
    "a signature with the other direction's secret": lambda call, upstream: resign(
        DEMO_PROVIDER_SECRET, call.request, upstream
    ),
    "a negative balance, signed": changes_field(SECRET, "balance", "-47"),
    "a balance that is a number, signed": changes_field(SECRET, "balance", 998000),
    "a balance with a fraction, signed": changes_field(SECRET, "balance", "9980.00"),
    "no balance, signed": changes_field(SECRET, "balance", None),
    "another currency, signed": changes_field(SECRET, "currency", "EUR"),
    "another transaction, signed": changes_field(SECRET, "transactionId", "another-one"),
    "another status, signed": changes_field(SECRET, "status", "maybe"),
    "no JSON, signed": lambda call, upstream: resign(SECRET, call.request, upstream.with_body(b"<html>200</html>")),
    "500, signed": says_signed(SECRET, 500, error("internal")),
    "a redirect": says_signed(SECRET, 302, {}, location="/casino/debit"),
}
BAD_BALANCES = [name for name in FALSE_ANSWERS if "balance" in name and name.endswith(", signed")]


@dataclass(frozen=True, slots=True)
class Case:
    """The step of the script that hears the false answer, and what the player has won in the end."""

    step: str
    net_minor: int


CASES = {"debit": Case("bet_1", 0), "credit": Case("payout", 1000), "rollback": Case("rollback_bet_2", 0)}


@pytest.mark.parametrize(("name", "endpoint"), sampled(paired(FALSE_ANSWERS, CASES), 7))
def test_a_false_answer_is_not_believed_and_cleared_up(faulty: FaultyStack, name: str, endpoint: str) -> None:
    """Row B11. test_unknown_outcomes.py of the provider has such answers at every call."""
    session, case = faulty.stack.session(), CASES[endpoint]
    rule = faulty.add_fault(step_of(session, endpoint), Fault(rewrites=FALSE_ANSWERS[name]))
    played = faulty.play_round(session)
    assert len(rule.hits) == 1, "the fault never happened"
    assert played.failed_step == case.step
    verdict = faulty.first_verdict(rule.hits[0].transaction_id)
    assert verdict in (*CODES_BY_STATUS[502], "internal")
    if name in BAD_BALANCES:
        assert verdict == "operator_bad_response"
    faulty.require_agreement()
    assert faulty.balance(session) == session.opening_balance_minor + case.net_minor


@pytest.mark.parametrize("name", sampled(["no signature", "a wrong signature", *BAD_BALANCES], 3))
def test_a_false_balance_is_not_believed_and_nothing_is_bet_on_it(faulty: FaultyStack, name: str) -> None:
    session = faulty.stack.session()
    rule = faulty.add_fault(step_of(session, "getBalance"), Fault(rewrites=FALSE_ANSWERS[name]))
    played = faulty.play_round(session)
    assert len(rule.hits) == 1, "the fault never happened"
    assert played.failed_step == "balance_check"
    assert faulty.provider_rows(session) == []
    assert faulty.balance(session) == session.opening_balance_minor


def test_an_acceptance_that_was_recorded_earlier_is_not_believed_for_a_new_bet(faulty: FaultyStack) -> None:
    """A recorded answer is signed for the nonce of its own request."""
    session = faulty.stack.session()
    recorded: list[Message] = []

    def record(call: Call, upstream: Message) -> Message:
        recorded.append(upstream)
        return upstream

    faulty.add_fault(step_of(session, "debit", 1), Fault(rewrites=record))
    second = faulty.add_fault(
        lambda call: call.token == session.token and call.endpoint == "debit",
        Fault(forwards=False, rewrites=lambda call, upstream: recorded[0]),
    )
    played = faulty.play_round(session)
    assert (len(recorded), len(second.hits)) == (1, 1)
    assert played.failed_step == "bet_2"
    faulty.require_agreement()
    assert faulty.balance(session) == session.opening_balance_minor


REFUSALS = {
    "insufficient_balance": 402,
    "round_not_found": 404,
}
"""Of the codes that test_refusals.py of the provider plays: one that the casino sends, and one that it does not."""


@pytest.mark.parametrize(("code", "status"), REFUSALS.items(), ids=REFUSALS.keys())
def test_a_signed_refusal_of_a_bet_is_believed_and_moves_nothing(faulty: FaultyStack, code: str, status: int) -> None:
    session = faulty.stack.session()
    told = says_signed(faulty.casino_secret, status, error(code))
    rule = faulty.add_fault(step_of(session, "debit"), Fault(forwards=False, rewrites=told), times=5)
    played = faulty.play_round(session)
    assert len(rule.hits) == 1, "a refusal is not repeated"
    assert played.failed_step == "bet_1"
    faulty.require_agreement()
    states = {row["kind"]: row["state"] for row in faulty.provider_rows(session)}
    assert states == {"debit": "refused"}
    assert faulty.balance(session) == session.opening_balance_minor


def test_a_refused_second_bet_gives_the_first_one_back(faulty: FaultyStack) -> None:
    session = faulty.stack.session()
    told = says_signed(faulty.casino_secret, 403, error("limit_exceeded"))
    rule = faulty.add_fault(step_of(session, "debit", 2), Fault(forwards=False, rewrites=told))
    played = faulty.play_round(session)
    assert len(rule.hits) == 1
    assert played.failed_step == "bet_2"
    faulty.require_agreement()
    assert faulty.balance(session) == session.opening_balance_minor
