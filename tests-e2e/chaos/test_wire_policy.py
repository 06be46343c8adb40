"""The policy between plan and proxy: the same calls meet the same faults, and what waits is let go."""

import asyncio
import json
from collections.abc import Callable

import pytest

from chaos.plan import Plan
from chaos.wire_policy import MENU, WirePolicy
from e2e_testing.fault import Call, Corruption, Fault, changes_field
from e2e_testing.wire import Message, answer

SECRET = "a secret"


def call(endpoint: str, number: int, *, player: str = "player-1", original: str | None = None) -> Call:
    content = {"userId": player, "transactionId": f"t-{number}", "originalTransactionId": original}
    request = Message(b"POST /casino/%s HTTP/1.1" % endpoint.encode(), (), json.dumps(content).encode())
    return Call(endpoint, request, attempt=1)


def policy_of(*kinds: str) -> WirePolicy:
    plan = Plan(11, 60, tuple((kind, 1 / len(kinds)) for kind in kinds), ())
    return WirePolicy(plan, {"main": SECRET}, deadline_seconds=2.0)


def told(fault: Fault) -> str:
    """A fault without its functions and events, which are new each time."""
    return f"{fault.forwards} {fault.cuts} {fault.delay_before_seconds} {len(fault.copies)} {fault.corrupts_request}"


def test_the_same_calls_in_any_interleaving_of_players_meet_the_same_faults() -> None:
    kinds = [kind for kind in MENU if kind != "reorder"]
    calls = [call("debit", number, player=f"player-{number % 3}") for number in range(300)]
    by_player = sorted(calls, key=lambda one: str(one.request.content["userId"]))
    first, second = policy_of(*kinds), policy_of(*kinds)
    met = {one.transaction_id: told(first.decide(one)) for one in calls}
    assert met == {one.transaction_id: told(second.decide(one)) for one in by_player}
    assert len(set(met.values())) > 10
    assert first.counts == second.counts


async def waits(policy: WirePolicy, held: Call, then: Callable[[], object]) -> bool:
    """Whether a held call is let go by what happens then, long before its time is up."""
    fault = policy.decide(held)
    assert fault.hold_before is not None
    holding = asyncio.create_task(fault.hold_before.hold())
    await asyncio.sleep(0)
    assert not holding.done()
    then()
    for _ in range(5):
        await asyncio.sleep(0)
    ended = holding.done()
    holding.cancel()
    return ended


@pytest.mark.anyio
async def test_a_late_bet_comes_when_its_rollback_was_answered_and_not_before() -> None:
    """Row B3."""
    bet, rollback = call("debit", 1), call("rollback", 2, original="t-1")
    done = answer(200, {"status": "ok"})
    late = policy_of("late_debit")
    assert await waits(late, bet, lambda: late.noticed(rollback, done))
    late = policy_of("late_debit")
    assert not await waits(late, bet, lambda: late.noticed(call("rollback", 3, original="t-9"), done))
    late = policy_of("late_debit")
    assert not await waits(late, bet, lambda: late.noticed(rollback, None))


def test_only_bets_come_late_in_that_way() -> None:
    policy = policy_of("late_debit")
    assert policy.decide(call("credit", 1)) == Fault()
    assert policy.counts == {}


@pytest.mark.anyio
async def test_a_call_that_is_to_be_overtaken_waits_for_the_next_one() -> None:
    reorder = policy_of("reorder")
    assert await waits(reorder, call("debit", 1), lambda: reorder.decide(call("debit", 2)))


def test_a_corruption_flips_exactly_one_bit_and_leaves_the_length() -> None:
    """Row B10."""
    message = call("debit", 1).request
    raw = message.to_bytes()
    for part in ("head", "body"):
        for place in (0.0, 0.5, 1.0):
            spoilt = Corruption(part, place, bit=3).of(message, keep_alive=True)
            flipped = [a ^ b for a, b in zip(raw, spoilt, strict=True) if a != b]
            assert flipped == [8], (part, place)


def test_what_was_asked_without_a_signature_is_told_its_lie_without_one() -> None:
    """The provider asks for the wallet's health over the same wire, and signs nothing for it."""
    request = Message(b"GET /health/ready HTTP/1.1", (), b"")
    lie = changes_field(SECRET, "balance", "-1")(Call("ready", request, attempt=1), answer(200, {"status": "ready"}))
    assert lie.field("x-casino-signature") is None
    assert lie.content == {"status": "ready", "balance": "-1"}
