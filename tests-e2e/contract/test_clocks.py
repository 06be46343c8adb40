"""Clocks that differ and clocks that step: what is accepted, which service corrects itself, what needs no clock."""

import itertools
import re
import time
from pathlib import Path

import pytest

from e2e_testing.answers import Answer
from e2e_testing.books import require_sound_books
from e2e_testing.both_books import require_agreement
from e2e_testing.database import Database
from e2e_testing.false_clock import false_clock
from e2e_testing.game_session import GameSession
from e2e_testing.key_traffic import Traffic, running
from e2e_testing.stack import Stack, StartStack
from shared_service_testing.sampling import sampled
from shared_service_testing.waiting import wait_until

WINDOW_SECONDS, WARN_SECONDS, CURVE_SECONDS = 60, 30, 180
SKEW_IN_LOG = re.compile(r"peer_clock_skewed.*skew_seconds=(-?\d+)")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
QUICK_PROVIDER = {"PROVIDER_OUTBOX_INTERVAL_SECONDS": "0.2", "PROVIDER_RETRY_FIRST_SECONDS": "0.2"}


def asked_within_one_second(session: GameSession, skew_seconds: int) -> tuple[Answer, int]:
    """A getBalance signed with a shifted time, and the second in which it was signed and judged."""
    wallet = session.wallet
    while True:
        second = int(time.time())
        signed = wallet.signer.prepare("POST", "/casino/getBalance", session.who(), timestamp=second + skew_seconds)
        answer = wallet.send(signed)
        if int(time.time()) == second:
            return answer, second


def test_the_acceptance_curve_over_the_skew_second_by_second(
    stack: Stack, session: GameSession, database: Database
) -> None:
    """Row C1. 361 skews from -180 to 180 s: up to 60 accepted, over 30 warned of, beyond refused with the time."""
    accepted = set()
    for skew_seconds in range(-CURVE_SECONDS, CURVE_SECONDS + 1):
        answer, second = asked_within_one_second(session, skew_seconds)
        if answer.status == 200:
            accepted.add(skew_seconds)
            continue
        assert (answer.verdict, answer.signature) == ((401, "timestamp_out_of_window"), "good")
        assert answer.content["serverTime"] == second
    assert accepted == set(range(-WINDOW_SECONDS, WINDOW_SECONDS + 1))
    log = COLOURS.sub("", stack.casino_process.log_since_mark())
    warned = {-int(skew) for skew in SKEW_IN_LOG.findall(log)}
    assert warned == {skew for skew in accepted if abs(skew) > WARN_SECONDS}


@pytest.mark.parametrize("direction", sampled([1, -1], 1))
def test_a_provider_whose_clock_is_off_by_minutes_corrects_itself_and_plays(
    start_stack: StartStack, tmp_path: Path, direction: int
) -> None:
    """Row C1. One new signature with the wallet's time, and the casino does the same towards the provider."""
    clock = false_clock(tmp_path, 45 * direction)
    stack = start_stack(provider_settings=clock.environment)
    plays_and_corrects_itself(stack, off_seconds=45)
    clock.step(240 * direction)
    plays_and_corrects_itself(stack, off_seconds=240)
    require_agreement(stack.books)


def plays_and_corrects_itself(stack: Stack, *, off_seconds: int) -> None:
    for _ in range(3):
        report = stack.simulate(stack.open_player()).must_be_ok().content
        assert report["passed"], report
    refused = stack.casino_process.log_path.read_text().count("timestamp_out_of_window")
    assert (refused > 0) == (off_seconds > WINDOW_SECONDS)
    retried = stack.books.rows(
        "select transaction_id, array_agg(status order by attempt_id) as statuses from provider.wallet_attempts"
        " group by transaction_id"
    )
    corrected = [row["statuses"] for row in retried if row["statuses"][0] == 401]
    assert all(statuses[::2] == [401] * (len(statuses) // 2) for statuses in corrected), "each call is signed anew"
    assert all(401 not in statuses[1::2] for statuses in corrected), "and once is enough"
    said = [name for name, service in stack.services.items() if "own_clock_is_off" in service.log_path.read_text()]
    assert said == ["provider"], "it says itself that its clock is off, and nobody else does"
    assert bool(corrected) == (off_seconds > WINDOW_SECONDS)


def test_a_provider_beyond_ten_minutes_plays_nothing_and_loses_nothing(start_stack: StartStack, tmp_path: Path) -> None:
    """Row C1. A time so far off is not believed, although it is signed; when the clock is right again, play goes on."""
    clock = false_clock(tmp_path)
    stack = start_stack(provider_settings=clock.environment)
    player = stack.open_player()
    clock.step(3600)
    wait_until(lambda: not stack.provider_process.is_ready(), "it is not ready with such a clock")
    ready = stack.client.get(f"{stack.provider.base_url}/health/ready")
    assert ready.json()["missing"] == "clock"
    assert stack.simulate(player).verdict == (502, "provider_unreachable")
    clock.step(0)
    wait_until(stack.provider_process.is_ready, "it is ready with the right time")
    wait_until(lambda: stack.simulate(player).content.get("passed") is True, "a round with the right time")
    require_agreement(stack.books)


def session_ends(stack: Stack) -> dict[str, float]:
    rows = stack.books.rows(
        "select session_id::text as id, extract(epoch from expires_at - clock_timestamp())::float8 as left_seconds"
        " from casino.game_sessions"
    )
    return {row["id"]: row["left_seconds"] for row in rows}


@pytest.mark.parametrize("package", ["casino", "provider"])
def test_a_stepped_clock_expires_nothing_reorders_nothing_and_replays_nothing(
    start_stack: StartStack, tmp_path: Path, package: str
) -> None:
    """Row C2. +90 s, then -200 s, then true again, under traffic: sessions, leases and nonces live by the database."""
    clock = false_clock(tmp_path)
    settings = {f"{package}_settings": clock.environment}
    if package == "casino":
        settings["provider_settings"] = QUICK_PROVIDER
    else:
        settings["provider_settings"] = clock.environment | QUICK_PROVIDER
    stack = start_stack(**settings)
    player, session = stack.open_player(), stack.session()
    recorded = session.wallet.signer.prepare("POST", "/casino/getBalance", session.who())
    assert session.wallet.send(recorded).status == 200
    rounds = Traffic(lambda: stack.simulate(player))
    with running(rounds):
        for off_seconds in (0, 90, -200, 0):
            clock.step(off_seconds)
            time.sleep(0.3)
            played = len(rounds.seen)
            wait_until(lambda played=played: len(rounds.seen) > played + 3, "rounds after the step")  # type: ignore[misc]
            assert session.wallet.send(recorded).status == 401, "a recorded request is dead, whatever the clock says"
    failed = [seen.verdict for seen in rounds.other_than_ok]
    assert len(failed) <= 4, "a step may cost the request that it hits, never more"
    assert set(failed) <= {(502, "provider_unreachable")}
    unsettled = stack.books.rows("select from provider.rounds where state <> 'settled'")
    assert len(unsettled) <= 4, "a step may cost the round that it hits, never more"
    assert all(left > 25 * 60 for left in session_ends(stack).values()), "no session expired by the step"
    assert session.get_balance().status == 200
    wait_until(
        lambda: not stack.books.rows("select from provider.wallet_transactions where state = 'pending'"), "recovery"
    )
    require_sound_books(stack.books)
    require_agreement(stack.books)
    require_order(stack)


def require_order(stack: Stack) -> None:
    """The ledger's order is its sequence; its times never contradict it, because one clock writes them."""
    rows = stack.books.rows(
        "select wallet_id, sequence_no, recorded_at from casino.transactions where sequence_no is not null"
        " order by ledger_id, wallet_id, sequence_no"
    )
    assert len(rows) > 20
    for before, after in itertools.pairwise(rows):
        if before["wallet_id"] == after["wallet_id"]:
            assert after["sequence_no"] == before["sequence_no"] + 1
            assert after["recorded_at"] >= before["recorded_at"]
