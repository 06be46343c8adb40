"""Duplicated, late, overtaking and recorded messages, with two casino processes that take turns."""

import itertools
import time
from collections.abc import Iterator

import pytest

from chaos.findings import history_findings
from chaos.record import ledger_of, refusals_of_nonces, signed_answers, states_of
from e2e_testing.both_books import require_agreement
from e2e_testing.database import Database
from e2e_testing.fault import Fault, Gate, same_bytes, signed_anew
from e2e_testing.signing_client import Signer
from e2e_testing.stack import DEMO_CASINO_SECRET
from faults.faulty_stack import FaultyStack, step_of
from faults.two_casinos import TwoCasinos, two_casinos
from local_stack.testing import PostgresServer
from shared_service_testing.sampling import paired

WINDOW_SECONDS = 60
HOUR_SECONDS, DAY_SECONDS = 3600, 86_400


@pytest.fixture(scope="module")
def pair(server: PostgresServer, template: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoCasinos]:
    with two_casinos(server, template, tmp_path_factory.mktemp("pair")) as both:
        yield both


@pytest.fixture
def faulty(pair: TwoCasinos) -> Iterator[FaultyStack]:
    pair.faulty.proxy.heal()
    yield pair.faulty
    pair.faulty.proxy.heal()
    require_agreement(pair.faulty.database)
    said = signed_answers(pair.faulty.proxy.deliveries, {"main": DEMO_CASINO_SECRET})
    findings = history_findings(ledger_of(pair.faulty.database), states_of(pair.faulty.database), said, [])
    assert not any(findings.values()), findings


ENDPOINTS = ("debit", "credit", "rollback")
KINDS = ("the same nonce", "fresh nonces", "both")
COPIES = paired(itertools.product(ENDPOINTS, KINDS), (1, 12, 49))


@pytest.mark.parametrize(("endpoint", "kind", "copies"), [(*case, count) for case, count in COPIES])
def test_copies_at_the_same_instant_at_different_processes_have_one_effect(
    faulty: FaultyStack, endpoint: str, kind: str, copies: int
) -> None:
    """Row B2. Of copies with one nonce one is read; of copies with fresh ones all answer the same bytes."""
    session = faulty.stack.session()
    makes = {"the same nonce": (same_bytes,), "fresh nonces": (signed_anew(DEMO_CASINO_SECRET),)}
    chosen = makes.get(kind) or (same_bytes, signed_anew(DEMO_CASINO_SECRET))
    fault = Fault(copies=tuple(chosen[number % len(chosen)] for number in range(copies)))
    rule = faulty.add_fault(step_of(session, endpoint, 1), fault)
    played = faulty.play_round(session)
    assert rule.hits
    faulty.require_agreement()
    # A copy that wins the nonce makes the provider's own request the replay: it signs anew, and gets the same answer.
    assert played.passed, played.answer and played.answer.content
    assert faulty.balance(session) == session.opening_balance_minor + 1000
    mine = faulty.proxy.deliveries_of(rule.hits[0].transaction_id, count=copies + 1)
    told = {(one.answer.status, one.answer.body) for one in mine if one.answer and one.answer.status == 200}
    assert len(told) == 1
    if kind == "the same nonce":
        # A process that stood still may have turned one away unread, for the want of a connection.
        unread = sum(one.answer is not None and one.answer.status == 503 for one in mine)
        assert refusals_of_nonces(mine)["refused: nonce_replay"] + unread == copies


def test_a_bet_that_is_released_after_its_rollback_was_answered_is_dead(faulty: FaultyStack) -> None:
    """Row B3. The caller is cut off at once; its bet comes when the rollback has been there."""
    session, gate = faulty.stack.session(), Gate()
    late = faulty.add_fault(step_of(session, "debit", 2), Fault(hangs_up_first=True, hold_before=gate))
    played = faulty.play_round(session)
    assert played.failed_step == "bet_2"
    faulty.require_agreement()
    bet = late.hits[0].transaction_id
    stones = faulty.database.rows("select 1 from casino.tombstones where transaction_id = %(id)s", id=bet)
    assert len(stones) == 1
    gate.open()
    arrived = faulty.proxy.deliveries_of(bet)
    assert [(one.answer.status, one.answer.content["code"]) for one in arrived if one.answer] == [
        (400, "transaction_rolled_back")
    ]
    assert faulty.balance(session) == session.opening_balance_minor


def test_a_win_that_overtakes_and_is_overtaken_by_other_calls_is_paid(faulty: FaultyStack) -> None:
    """Row B6. The payout's first attempt comes only after its repetition was answered."""
    session, gate = faulty.stack.session(), Gate()
    first = faulty.add_fault(step_of(session, "credit", 1), Fault(hangs_up_first=True, hold_before=gate))
    faulty.play_round(session)
    faulty.require_agreement()
    assert faulty.balance(session) == session.opening_balance_minor + 1000
    gate.open()
    win = first.hits[0].transaction_id
    arrived = faulty.proxy.deliveries_of(win, count=2)
    bodies = {one.answer.body for one in arrived if one.answer}
    assert len(bodies) == 1, "the late copy answers what the first one did"
    assert faulty.balance(session) == session.opening_balance_minor + 1000


def test_a_win_lands_after_the_session_expired_and_the_player_excluded_herself(faulty: FaultyStack) -> None:
    """Row B6. What closes a session or a wallet for bets never closes it for a win that is on its way."""
    session, gate = faulty.stack.session(), Gate()
    faulty.add_fault(step_of(session, "credit", 1), Fault(hold_before=gate))
    playing = faulty.start_round(session)
    gate.wait_for_arrival()
    faulty.database.change(
        "update casino.wallets set excluded_until = 'infinity' where player_id = %(player)s", player=session.user_id
    )
    faulty.database.change(
        "update casino.game_sessions set expires_at = now() where player_id = %(player)s", player=session.user_id
    )
    gate.open()
    playing.wait()
    faulty.require_agreement()
    assert faulty.balance(session) == session.opening_balance_minor + 1000


@pytest.mark.parametrize(
    ("endpoint", "age_seconds"), paired(ENDPOINTS, (WINDOW_SECONDS + 1, HOUR_SECONDS, DAY_SECONDS))
)
def test_a_message_that_is_late_by_minutes_or_a_day_is_stale_and_its_resigned_retry_resolves(
    pair: TwoCasinos, faulty: FaultyStack, endpoint: str, age_seconds: int
) -> None:
    """Row B7. Recorded bytes of long ago change nothing, whether they were accepted then or never came."""
    session = faulty.stack.session()
    bet = session.bet()
    contents = {
        "debit": session.debit_content(),
        "credit": session.credit_content(500, round_id=bet.round_id, related=bet.transaction_id),
        "rollback": session.rollback_content(bet.transaction_id, round_id=bet.round_id),
    }
    moved = {"debit": -1000, "credit": 500, "rollback": 1000}[endpoint]
    before, then = session.balance(), int(time.time()) - age_seconds
    for peer in pair.peers:
        late = Signer(peer).prepare("POST", f"/casino/{endpoint}", contents[endpoint], timestamp=then)
        answer = session.wallet.send(late)
        assert answer.verdict == (401, "timestamp_out_of_window")
        assert abs(answer.content["serverTime"] - time.time()) < WINDOW_SECONDS
    assert session.balance() == before
    first = session.post(endpoint, contents[endpoint]).must_be_ok()
    again = session.post(endpoint, contents[endpoint]).must_be_ok()
    assert again.body == first.body
    assert session.balance() == before + moved


def test_a_call_overtaken_by_the_next_one_changes_nothing(faulty: FaultyStack) -> None:
    """Row B6. Two players' calls in the other order: nobody's round notices."""
    first, second = faulty.stack.session(), faulty.stack.session()
    gate = Gate()
    faulty.add_fault(step_of(first, "debit", 1), Fault(hold_before=gate))
    playing = faulty.start_round(first)
    gate.wait_for_arrival()
    assert faulty.play_round(second).passed
    gate.open()
    playing.wait()
    assert playing.passed
