"""Flipped bits and nonsense answers on the wire are rejected and move no money."""

import random
import socket
from dataclasses import dataclass

import httpx
import pytest

from chaos.wire_policy import nonsense_answers
from e2e_testing.fault import Corruption, Fault, Rule
from e2e_testing.stack import DEMO_CASINO_SECRET
from e2e_testing.wire import Message
from faults.faulty_stack import FaultyStack, Round, step_of
from shared_service_testing.sampling import IS_NIGHTLY, paired, sampled

SPOILT_REQUESTS = 200 if IS_NIGHTLY else 60
SOCKET_SECONDS = 3.0
DRIP_SECONDS = 0.02
UNSIGNED_FIELDS = ("content-type", "accept", "user-agent", "host", "x-request-id")
NET_MINOR = {"debit": 0, "rollback": 0, "credit": 1000}
FLIPS = [(part, at, bit) for part in ("head", "body") for at, bit in ((0.03, 0), (0.4, 6), (0.75, 1), (0.97, 4))]
"""Part of the message, where in it (0 to 1), and which bit of that byte."""
FLIPPED = [(*case, endpoint) for case, endpoint in paired(paired(FLIPS, ("request", "answer")), NET_MINOR)]


def raw_exchange(port: int, raw: bytes) -> bytes:
    """The answer to these bytes; empty when the service waits for more or closes the connection."""
    said = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=SOCKET_SECONDS) as connection:
            connection.settimeout(0.25)
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(65536):
                said += chunk
    except OSError:
        return said
    return said


def test_a_request_with_a_flipped_bit_is_refused_or_is_the_same_request(faulty: FaultyStack) -> None:
    """Row B10. Never a 500, and whatever is accepted is the one bet that was signed."""
    seed = random.randrange(2**32)
    rng, session = random.Random(seed), faulty.stack.session()
    statuses: set[int] = set()
    sent_ids = set()
    for _ in range(SPOILT_REQUESTS):
        content = session.debit_content()
        sent_ids.add(content["transactionId"])
        request = faulty.stack.wallet.signer.prepare("POST", "/casino/debit", content).request
        message = as_message(request)
        spoilt = Corruption(rng.choice(["head", "body"]), rng.random(), rng.randrange(8))
        said = raw_exchange(faulty.stack.casino_process.port, spoilt.of(message, keep_alive=False))
        if said:
            statuses.add(int(said.split(b" ", 2)[1]))
    assert {status for status in statuses if status >= 500} <= {503}, f"seed {seed}: {statuses}"
    assert 401 in statuses, f"seed {seed}: {statuses}"
    taken = faulty.database.rows(
        "select entry.transaction_id, entry.amount_minor, entry.kind from casino.transactions as entry"
        " join casino.wallets using (ledger_id, wallet_id)"
        " where player_id = %(player)s and entry.feed_position is not null",
        player=session.user_id,
    )
    assert {row["transaction_id"] for row in taken} <= sent_ids, f"seed {seed}: a bet that nobody signed"
    assert {(row["kind"], row["amount_minor"]) for row in taken} <= {("debit", 1000)}, f"seed {seed}"


def as_message(request: httpx.Request) -> Message:
    fields = tuple((name.lower(), value) for name, value in request.headers.raw)
    line = f"{request.method} {request.url.raw_path.decode()} HTTP/1.1".encode()
    return Message(line, fields, request.content)


@pytest.mark.parametrize(("flip", "direction", "endpoint"), FLIPPED)
def test_a_bit_that_flips_on_the_way_costs_nobody_money(
    faulty: FaultyStack, endpoint: str, flip: tuple[str, float, int], direction: str
) -> None:
    """Row B10, on the hop between the services: the round ends with a whole report, and both books agree."""
    session, spoilt = faulty.stack.session(), Corruption(*flip)
    fault = Fault(corrupts_request=spoilt) if direction == "request" else Fault(corrupts_answer=spoilt)
    rule = faulty.add_fault(step_of(session, endpoint, 1), fault)
    played = faulty.play_round(session)
    assert len(rule.hits) == 1
    assert played.answer is not None
    assert played.answer.status == 200
    faulty.proxy.heal()
    faulty.require_agreement()
    won = faulty.balance(session) - session.opening_balance_minor
    assert won == (1000 if played.passed else NET_MINOR[endpoint])


@dataclass(frozen=True, slots=True)
class SpoiltField:
    """One bit of a header field's value, in which no signature has a part."""

    name: str

    def of(self, message: Message, *, keep_alive: bool) -> bytes:
        value = message.field(self.name) or ""
        spoilt = message.with_field(self.name, value[:-1] + chr(ord(value[-1]) ^ 1))
        return spoilt.to_bytes(keep_alive=keep_alive)


@pytest.mark.parametrize(("name", "endpoint"), paired(UNSIGNED_FIELDS, NET_MINOR))
def test_a_header_that_no_signature_covers_costs_nobody_money_when_it_is_spoilt(
    faulty: FaultyStack, endpoint: str, name: str
) -> None:
    """Row B10. Above all not a win: the wallet's refusal of such a message says nothing about the money."""
    session = faulty.stack.session()
    rule = faulty.add_fault(step_of(session, endpoint, 1), Fault(corrupts_request=SpoiltField(name)))
    played = faulty.play_round(session)
    assert len(rule.hits) == 1
    assert played.answer is not None
    faulty.require_agreement()
    assert faulty.balance(session) - session.opening_balance_minor == (1000 if played.passed else NET_MINOR[endpoint])
    refused = [row for row in faulty.provider_rows(session) if row["difference_code"]]
    assert refused == []


NONSENSE = nonsense_answers(DEMO_CASINO_SECRET)


@pytest.fixture(scope="module")
def dripping_rounds(shared_faulty: FaultyStack) -> dict[str, tuple[Rule, Round]]:
    """The rounds that run into the provider's deadline, played at once: they wait for it together."""
    return shared_faulty.play_with_faults(
        {endpoint: (endpoint, 1, Fault(drips_seconds=DRIP_SECONDS)) for endpoint in NET_MINOR}
    )


@pytest.mark.parametrize(("name", "endpoint"), paired([*sampled(NONSENSE, 6), "byte by byte"], NET_MINOR))
def test_nonsense_stops_the_round_safely_and_soon(
    faulty: FaultyStack, dripping_rounds: dict[str, tuple[Rule, Round]], endpoint: str, name: str
) -> None:
    """Row B11. No redirect is followed, no endless body is read to its end, no dripping answer is waited for."""
    if name in NONSENSE:
        fault = Fault(rewrites=NONSENSE[name], never_ends=name == "endless body")
        rule, played = faulty.play_with_faults({name: (endpoint, 1, fault)})[name]
    else:
        rule, played = dripping_rounds[endpoint]
    session = played.session
    assert len(rule.hits) == 1
    faulty.proxy.heal()
    faulty.require_agreement()
    won = faulty.balance(session) - session.opening_balance_minor
    # What is told to come again is asked again within the call, and the round goes on as if nothing had been said.
    comes_again = name in ("unsigned 401", "unsigned 429", "unsigned 503")
    assert played.passed == comes_again, played.answer and played.answer.content
    assert won == (1000 if comes_again else NET_MINOR[endpoint])
    paths = {one.call.request.target for one in faulty.proxy.deliveries if one.call.token == session.token}
    assert paths <= {f"/casino/{name}" for name in ("getBalance", "debit", "credit", "rollback")}
