"""An attacker between the services replays the provider's own request, and answers it with the signed 401 he obtains.

The wallet did what was asked, and signed `nonce_replay` for that very nonce: the caller must not read "refused" there.
"""

import socket

import pytest

from e2e_testing.fault import Call, Fault, Rewrites
from e2e_testing.wire import Message
from faults.faulty_stack import FaultyStack, step_of

HOST, SECONDS_MAX, READ_BYTES = "127.0.0.1", 30.0, 65536

# What the player has won at the end: a bet or a refund that stays in doubt voids the round, a payout is paid.
NET_MINOR = {"debit": 0, "rollback": 0, "credit": 1000}


def replayed(port: int) -> Rewrites:
    """Throws the wallet's answer away, sends the same bytes once more and hands on what comes back."""

    def rewrite(call: Call, answer: Message) -> Message:
        assert answer.status == 200, "the wallet did it"
        raw = b""
        with socket.create_connection((HOST, port), SECONDS_MAX) as wallet:
            wallet.sendall(call.request.to_bytes(keep_alive=False))
            while part := wallet.recv(READ_BYTES):
                raw += part
        head, _, body = raw.partition(b"\r\n\r\n")
        first_line, *lines = head.split(b"\r\n")
        fields = tuple((name, value.strip()) for name, _, value in (line.partition(b":") for line in lines))
        swapped = Message(first_line, fields, body)
        assert (swapped.status, swapped.content["code"]) == (401, "nonce_replay")
        assert swapped.field("x-casino-signature"), "the wallet signs it, for the nonce that it saw"
        return swapped

    return rewrite


@pytest.mark.parametrize("endpoint", NET_MINOR)
def test_one_signed_401_for_a_call_that_was_executed_costs_one_more_signature(
    faulty: FaultyStack, endpoint: str
) -> None:
    """Row E1. Pitfall 9."""
    session = faulty.stack.session()
    swap = Fault(rewrites=replayed(faulty.proxy.upstream.ports[0]))
    rule = faulty.add_fault(step_of(session, endpoint), swap)
    played = faulty.play_round(session)
    assert len(rule.hits) == 1
    assert played.passed, played.answer and played.answer.content
    faulty.require_agreement()
    assert faulty.balance(session) == session.opening_balance_minor + 1000


@pytest.mark.parametrize("endpoint", NET_MINOR)
def test_a_second_signed_401_leaves_the_outcome_unknown_and_both_books_agree(
    faulty: FaultyStack, endpoint: str
) -> None:
    """Row E1. Pitfall 9."""
    session = faulty.stack.session()
    swap = Fault(rewrites=replayed(faulty.proxy.upstream.ports[0]))
    rule = faulty.add_fault(step_of(session, endpoint), swap, times=2)
    played = faulty.play_round(session)
    assert not played.passed
    assert len(rule.hits) == 2
    first = rule.hits[0].transaction_id
    assert {hit.transaction_id for hit in rule.hits} == {first}, "signed anew, with the same transaction id"
    assert len({hit.request.field("x-casino-signature") for hit in rule.hits}) == 2
    faulty.proxy.heal()
    faulty.require_agreement()
    assert faulty.balance(session) == session.opening_balance_minor + NET_MINOR[endpoint]
    states = {str(row["transaction_id"]): row["state"] for row in faulty.provider_rows(session)}
    assert states[str(first)] != "refused", "nobody took the 401 for a refusal"
