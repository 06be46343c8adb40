"""Protocol section 7: messages that are lost, cut, late or answered by a third party, followed to the final books."""

import time
from dataclasses import dataclass
from uuid import UUID

import pytest

from e2e_testing.answers import CODES_BY_STATUS
from e2e_testing.fault import Call, Fault, Gate, Rule, error, says, says_signed
from faults.faulty_stack import STEPS, FaultyStack, Round, all_calls, step_of
from shared_service_testing.sampling import paired


@dataclass(frozen=True, slots=True)
class Case:
    """A step whose call has a fault, and what the player has won or lost once everything is cleared up."""

    endpoint: str
    number: int
    net_minor: int


# A bet or a refund in doubt voids the round: everything goes back. A payout in doubt is paid in the end.
CASES = {
    "bet_1": Case("debit", 1, 0),
    "bet_2": Case("debit", 2, 0),
    "rollback_bet_2": Case("rollback", 1, 0),
    "payout": Case("credit", 1, 1000),
    "tombstone_rollback": Case("rollback", 2, 1000),
}
FAULTS = {
    "the request is lost": Fault(forwards=False, cuts=True),
    "the answer is lost": Fault(cuts=True),
    "the answer is cut half way": Fault(cuts_half_way=True),
    "the request is late": Fault(outlasts_caller_before=True),
    "the answer is late": Fault(outlasts_caller_after=True),
    "a proxy says 500 and forwards nothing": Fault(forwards=False, rewrites=says(500, {"oops": True})),
    "a proxy says 502 after the wallet did it": Fault(rewrites=says(502, error("operator_unreachable"))),
    "a proxy says 404 and forwards nothing": Fault(forwards=False, rewrites=says(404, error("session_not_found"))),
    "a proxy says 402 after the wallet did it": Fault(rewrites=says(402, error("insufficient_balance"))),
}
PLAYED = [(step, name) for name, step in paired(FAULTS, CASES)]
"""Of the provider's calls, test_unknown_outcomes.py disturbs every one in every way."""


@pytest.fixture(scope="module")
def late_rounds(shared_faulty: FaultyStack) -> dict[tuple[str, str], tuple[Rule, Round]]:
    """The rounds that run into the provider's deadline, played at once: they wait for it together."""
    return shared_faulty.play_with_faults(
        {
            (step, name): (CASES[step].endpoint, CASES[step].number, FAULTS[name])
            for step, name in PLAYED
            if name.endswith("is late")
        }
    )


def require_cleared_up(faulty: FaultyStack, played: Round, case: Case) -> None:
    """No outcome stays unknown, and both books hold the same money."""
    faulty.proxy.heal()
    faulty.require_agreement()
    assert faulty.balance(played.session) == played.session.opening_balance_minor + case.net_minor
    assert {row["state"] for row in faulty.provider_rows(played.session)} <= {
        "committed", "settled", "rolled_back", "refused",
    }  # fmt: skip


@pytest.mark.parametrize(("step", "name"), PLAYED)
def test_a_disturbed_step_is_cleared_up_on_both_sides(
    faulty: FaultyStack, late_rounds: dict[tuple[str, str], tuple[Rule, Round]], step: str, name: str
) -> None:
    """Row B1. The request or its answer is lost, cut or late, at every step that moves money."""
    case = CASES[step]
    if (step, name) in late_rounds:
        rule, played = late_rounds[step, name]
    else:
        rule, played = faulty.play_with_faults({step: (case.endpoint, case.number, FAULTS[name])})[step]
    assert len(rule.hits) == 1, "the fault never happened"
    assert played.failed_step == step
    require_cleared_up(faulty, played, case)


def test_a_bet_that_arrives_after_its_rollback_is_dead(faulty: FaultyStack) -> None:
    """Row B3. The caller's own deadline passes; the bet comes when its rollback has been there."""
    session, gate = faulty.stack.session(), Gate()
    rule = faulty.add_fault(step_of(session, "debit"), Fault(hold_before=gate))
    faulty.play_round(session)
    faulty.require_agreement()
    gate.open()
    late = rule.hits[0].transaction_id
    answers = [one.answer for one in faulty.proxy.deliveries_of(late)]
    assert [(told.status, told.content["code"]) for told in answers if told] == [(400, "transaction_rolled_back")]
    statuses = {
        (passage.call.endpoint, passage.status)
        for passage in faulty.proxy.calls(session.token)
        if late in (passage.call.transaction_id, passage.call.original_id)
    }
    assert ("rollback", 200) in statuses
    stone = faulty.database.rows("select 1 from casino.tombstones where transaction_id = %(id)s", id=late)
    assert len(stone) == 1, "the rollback came first"
    assert faulty.balance(session) == session.opening_balance_minor


def test_a_rollback_that_is_lost_again_and_again_arrives_in_the_end_under_one_id(faulty: FaultyStack) -> None:
    session = faulty.stack.session()
    faulty.add_fault(step_of(session, "debit"), Fault(cuts=True))
    lost = faulty.add_fault(lambda call: call.token == session.token and call.endpoint == "rollback",
                         Fault(forwards=False, cuts=True), times=4)  # fmt: skip
    faulty.play_round(session)
    faulty.require_agreement()
    assert len(lost.hits) == 4
    ids = {str(call.transaction_id) for call in lost.hits}
    assert len(ids) == 1, "every retry sends the same id"
    assert UUID(ids.pop()).version == 5, "which is derived from the bet's"
    assert faulty.balance(session) == session.opening_balance_minor


def test_a_win_is_sent_until_the_wallet_answers_and_is_never_rolled_back(faulty: FaultyStack) -> None:
    """Row B1. A win is never dropped."""
    session = faulty.stack.session()
    lost = faulty.add_fault(lambda call: call.token == session.token and call.endpoint == "credit",
                         Fault(forwards=False, cuts=True), times=4)  # fmt: skip
    faulty.play_round(session)
    faulty.require_agreement()
    assert len(lost.hits) == 4
    assert len({call.transaction_id for call in lost.hits}) == 1
    assert faulty.balance(session) == session.opening_balance_minor + 1000
    rolled_back = {passage.call.original_id for passage in faulty.proxy.calls(session.token)}
    assert lost.hits[0].transaction_id not in rolled_back


def test_while_a_bet_is_in_doubt_the_session_takes_no_new_one(faulty: FaultyStack) -> None:
    session = faulty.stack.session()
    faulty.add_fault(step_of(session, "debit"), Fault(cuts=True))
    faulty.add_fault(lambda call: call.token == session.token and call.endpoint == "rollback",
                  Fault(forwards=False, cuts=True), times=100)  # fmt: skip
    first = faulty.play_round(session)
    assert not first.passed
    second = faulty.play_round(session)
    assert second.answer is not None, second.failure
    assert second.answer.verdict == (409, "session_busy")
    faulty.proxy.heal()
    faulty.require_agreement()
    assert faulty.balance(session) == session.opening_balance_minor


RETRIED = {
    "a signed 409": (409, "session_busy", True),
    "a signed 429": (429, "rate_limited", True),
    "a signed 503": (503, "overloaded", True),
    "an unsigned 429": (429, "rate_limited", False),
    "an unsigned 503": (503, "overloaded", False),
    "an unsigned 401": (401, "nonce_replay", False),
}


@pytest.mark.parametrize(("status", "code", "signed"), RETRIED.values(), ids=RETRIED.keys())
def test_a_round_passes_although_every_call_is_first_told_to_come_again(
    faulty: FaultyStack, status: int, code: str, signed: bool
) -> None:
    assert code in CODES_BY_STATUS[status]
    session = faulty.stack.session()

    def first_attempt(call: Call) -> bool:
        return all_calls(session)(call) and call.transaction_id is not None and call.attempt == 1

    rewrite = (
        says_signed(faulty.casino_secret, status, error(code), retry_after="0")
        if signed
        else says(status, error(code), retry_after="0")
    )
    rule = faulty.add_fault(first_attempt, Fault(forwards=False, rewrites=rewrite), times=len(STEPS))
    played = faulty.play_round(session)
    assert len(rule.hits) >= 5, "every money call of the round was turned away once"
    assert played.passed, played.answer and played.answer.content
    assert faulty.balance(session) == session.opening_balance_minor + 1000


def test_a_time_that_the_wallet_did_not_sign_moves_no_clock(faulty: FaultyStack) -> None:
    """Somebody on the way says that it is 5 minutes later: the second attempt keeps the provider's own time."""
    session = faulty.stack.session()
    told = error("timestamp_out_of_window") | {"serverTime": int(time.time()) + 300}
    rule = faulty.add_fault(step_of(session, "debit"), Fault(forwards=False, rewrites=says(401, told)))
    played = faulty.play_round(session)
    assert len(rule.hits) == 1
    assert played.passed, played.answer and played.answer.content


def test_a_wallet_that_never_accepts_a_signature_ends_the_round_without_a_loop(faulty: FaultyStack) -> None:
    session = faulty.stack.session()
    told = says(401, error("bad_signature"))
    rule = faulty.add_fault(step_of(session, "debit"), Fault(forwards=False, rewrites=told), times=50)
    played = faulty.play_round(session)
    assert not played.passed
    assert len(rule.hits) == 2, "signed anew once, and no more"
    faulty.proxy.heal()
    faulty.require_agreement()
    assert faulty.balance(session) == session.opening_balance_minor
