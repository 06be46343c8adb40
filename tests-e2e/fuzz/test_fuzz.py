"""Both services under streams of odd bytes, beside a client whose every answer must stay right.

Row D4. Row E2. `make fuzz SECONDS=600 SEED=7` runs it for longer; here is a short run of one seed.
"""

import os
import random
import threading
import time
from dataclasses import dataclass, field

import pytest

from e2e_testing.game_session import GameSession, new_id
from e2e_testing.raw_wire import SERVICES, resident_mebibytes
from e2e_testing.stack import Stack, StartStack
from fuzz.hostile import Hostile
from fuzz.streams import Streams

SECONDS = float(os.environ.get("FUZZ_SECONDS", "5"))
SEED = int(os.environ.get("FUZZ_SEED", "20261128"))
WARM_UP_TURNS = 30
GROWTH_MEBIBYTES_MAX = 64
PAGE = 1000
RICH_MINOR = 10**12
LOG_BYTES_PER_SECOND_MAX = 50_000


@dataclass
class Bystander:
    """Plays rounds while the others send what they like. Every answer must be right, and the balance with it."""

    stack: Stack
    session: GameSession
    over: threading.Event = field(default_factory=threading.Event)
    rounds: int = 0
    failure: BaseException | None = None

    def run(self) -> None:
        try:
            balance = self.session.balance()
            while not self.over.is_set():
                round_id = new_id()
                bet = self.session.debit(round_id=round_id).must_be_ok()
                assert bet.balance == balance - 1000
                undone = self.session.rollback(bet.content["transactionId"], round_id=round_id)
                assert undone.must_be_ok().balance == balance
                if self.rounds % 10 == 0:
                    player = self.stack.open_player()
                    assert self.stack.simulate(player).must_be_ok().content["passed"] is True
                self.rounds += 1
        except BaseException as failure:  # told by the test
            self.failure = failure


def booked(session: GameSession) -> dict[str, int]:
    """Every bet of a player in the casino's feed, with its amount."""
    found: dict[str, int] = {}
    after = "0"
    while True:
        page = session.wallet.get(f"/casino/transactions?after={after}&limit={PAGE}").must_be_ok().content
        for row in page["transactions"]:
            if row["userId"] == session.user_id:
                found[row["transactionId"]] = row["amount"]
        if page["next"] == after:
            return found
        after = page["next"]


@pytest.fixture
def fuzzed(start_stack: StartStack) -> Stack:
    return start_stack()


@pytest.mark.timeout(SECONDS * 3 + 240)
def test_odd_bytes_change_nothing_for_anybody_else(fuzzed: Stack) -> None:
    rng = random.Random(SEED)
    session = fuzzed.session(balance_minor=RICH_MINOR)
    peers = {"casino": fuzzed.casino, "provider": fuzzed.provider}
    hostiles = [Hostile(Streams(rng, name, peers[name], session), fuzzed.services[name].port, rng) for name in SERVICES]
    bystander = Bystander(fuzzed, fuzzed.session())
    beside = threading.Thread(target=bystander.run, daemon=True)
    beside.start()
    for hostile in hostiles * WARM_UP_TURNS:
        hostile.turn()
    sizes = {name: resident_mebibytes(fuzzed.services[name]) for name in SERVICES}
    logged = {name: fuzzed.services[name].log_path.stat().st_size for name in SERVICES}
    started = time.monotonic()
    while time.monotonic() - started < SECONDS and bystander.failure is None:
        for hostile in hostiles:
            hostile.turn()
        for name in SERVICES:
            assert resident_mebibytes(fuzzed.services[name]) - sizes[name] < GROWTH_MEBIBYTES_MAX, f"seed {SEED}"
    took = time.monotonic() - started
    bystander.over.set()
    beside.join()

    print(f"seed {SEED}, {took:.0f} s, {bystander.rounds} rounds beside;", *(dict(each.counts) for each in hostiles))
    assert bystander.failure is None, f"seed {SEED}: {bystander.failure!r}"
    assert bystander.rounds > 0
    require_only_signed_bets(hostiles[0].streams)
    for name in SERVICES:
        service = fuzzed.services[name]
        log = service.log_path.read_bytes()
        assert b"Traceback" not in log, f"seed {SEED}"
        assert b"request_failed" not in log, f"seed {SEED}"
        assert len(log) - logged[name] < LOG_BYTES_PER_SECOND_MAX * (took + 1), "anybody can make it log"


def require_only_signed_bets(streams: Streams) -> None:
    """What is in the books was signed and sent as a request; good bets are there, and hidden ones never."""
    bets = booked(streams.session)
    assert set(bets.values()) <= {1000}
    assert streams.placed_bets <= bets.keys() <= streams.signed_bets, f"seed {SEED}"
    assert not streams.hidden_bets & bets.keys()
