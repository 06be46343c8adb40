"""A campaign can fail: defects planted in the books of a real stack turn the checks red that are meant for them."""

from pathlib import Path

import pytest

from chaos.findings import (
    ACKNOWLEDGED,
    BALANCES,
    BOTH_BOOKS,
    CASINO_VIEW,
    CONTRADICTIONS,
    INTENDED,
    REPORTED,
    SOUND_LEDGER,
    Findings,
    book_findings,
    history_findings,
)
from chaos.record import signed_answers
from chaos.round_players import Report
from e2e_testing.both_books import wait_until_settled
from e2e_testing.database import Database
from faults.conftest import faulty_stack
from faults.faulty_stack import PATIENT_PROVIDER, FaultyStack, Round
from local_stack.testing import PostgresServer

DELETE_A_WIN = """
    with gone as (
        select * from casino.transactions where transaction_id = %(id)s
    ), postings as (
        delete from casino.postings where transaction_id = %(id)s
    ), events as (
        delete from casino.ledger_events where right(action_id, length(%(id)s)) = %(id)s
    ), entry as (
        delete from casino.transactions where transaction_id = %(id)s
    )
    update casino.wallets as wallet set balance_minor = wallet.balance_minor - gone.amount_minor
    from gone where wallet.wallet_id = gone.wallet_id
"""
TAKE_A_CENT = "update casino.wallets set balance_minor = balance_minor - 1 where player_id = %(player)s"
FORGET = "update provider.wallet_transactions set state = 'refused' where transaction_id = %(id)s::uuid"


def findings_of(faulty: FaultyStack, rounds: list[Round]) -> Findings:
    """Every check, on the books as they are now and on all that was said until now."""
    reports = [
        Report(played.session.user_id, played.answer.status, played.answer.content)
        for played in rounds
        if played.answer is not None
    ]
    said = signed_answers(faulty.proxy.deliveries, faulty.casino_secret)
    return book_findings(faulty.database) | history_findings(faulty.database, said, reports)


def red(findings: Findings, needle: str) -> set[str]:
    """The checks that found something about this transaction or wallet."""
    return {name for name, found in findings.items() if any(needle in finding for finding in found)}


def transaction_of(played: Round, action: str) -> str:
    assert played.answer is not None
    step = next(step for step in played.answer.content["steps"] if step["action"] == action)
    return str(step["request"]["transactionId"])


@pytest.mark.slow
def test_each_planted_defect_turns_the_checks_red_that_are_meant_for_it(
    server: PostgresServer, template: Database, tmp_path: Path
) -> None:
    with faulty_stack(server, template, tmp_path, provider_settings=PATIENT_PROVIDER) as faulty:
        rounds = [faulty.play_round(faulty.stack.session()) for _ in range(4)]
        assert all(played.passed for played in rounds)
        wait_until_settled(faulty.database)
        clean = findings_of(faulty, rounds)
        assert not any(clean.values()), clean

        paid_twice, robbed, cent, forgotten = rounds
        session = paid_twice.session
        round_id = str(paid_twice.answer and paid_twice.answer.content["roundId"])
        rogue = session.credit(2000, round_id=round_id, related=transaction_of(paid_twice, "bet_1")).must_be_ok()
        assert INTENDED in red(findings_of(faulty, rounds), str(rogue.content["transactionId"]))
        assert BALANCES in red(findings_of(faulty, rounds), session.user_id)

        win = transaction_of(robbed, "payout")
        faulty.database.rows(DELETE_A_WIN, id=win)
        found = findings_of(faulty, rounds)
        assert {ACKNOWLEDGED, REPORTED, BOTH_BOOKS} <= red(found, win)
        assert found[SOUND_LEDGER], "a hole in the sequence"

        faulty.database.change(TAKE_A_CENT, player=cent.session.user_id)
        found = findings_of(faulty, rounds)
        assert BALANCES in red(found, cent.session.user_id)
        assert found[CASINO_VIEW]

        bet = transaction_of(forgotten, "bet_1")
        faulty.database.change(FORGET, id=bet)
        assert {BOTH_BOOKS, REPORTED} <= red(findings_of(faulty, rounds), bet)

        win = transaction_of(forgotten, "payout")
        faulty.database.change(FORGET, id=win)
        assert {CONTRADICTIONS, REPORTED} <= red(findings_of(faulty, rounds), win)
