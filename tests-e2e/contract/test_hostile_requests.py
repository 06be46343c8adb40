"""Requests that nobody honest sends: odd paths, mutated signatures, random bodies. None may pass, none may crash."""

import json
import random
import secrets
import socket
from urllib.parse import urlsplit

import pytest

from e2e_testing.answers import CODES_BY_STATUS
from e2e_testing.game_session import GameSession, new_id
from e2e_testing.stack import CASINO_HEADER, Stack
from shared_service_testing.sampling import IS_NIGHTLY

MUTATIONS = 300 if IS_NIGHTLY else 60
RANDOM_BODIES = 300 if IS_NIGHTLY else 60
DEPTH_MAX = 4


@pytest.fixture(scope="module")
def session(stack: Stack) -> GameSession:
    """One player for the whole file."""
    return stack.session()


def raw_request(stack: Stack, head: list[str], body: bytes) -> tuple[int, bytes]:
    """Send bytes that no HTTP library would; answers the status and the rest."""
    address = urlsplit(stack.casino.base_url)
    lines = [*head, f"Host: {address.netloc}", f"Content-Length: {len(body)}", "Connection: close"]
    with socket.create_connection((str(address.hostname), int(address.port or 80)), timeout=60) as connection:
        connection.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    return int(received.split(b" ")[1]), received


ODD_PATHS = [
    "/casino/%64ebit", "/casino/deb%69t", "//casino/debit", "/casino//debit", "/casino/./debit", "/casino/x/../debit",
    "/CASINO/debit", "/casino/Debit", "/casino/debit/", "/casino/debit%2f", "/casino/debit;x=1", "/casino/debit%00",
    "/casino%2fdebit", "/casino/debit%20", "/casino\\debit", "/./casino/debit", "/casino/debit#x", "/casino/debit?",
]  # fmt: skip


@pytest.mark.parametrize("path", ODD_PATHS)
def test_no_spelling_of_a_path_gets_round_the_signature(stack: Stack, session: GameSession, path: str) -> None:
    """Row E2."""
    before = session.balance()
    body = json.dumps(session.debit_content()).encode()
    status, received = raw_request(stack, [f"POST {path} HTTP/1.1", "content-type: application/json"], body)
    assert status in (400, 401, 404, 405), received
    assert session.balance() == before


@pytest.mark.parametrize("path", ODD_PATHS)
def test_a_well_signed_odd_path_is_that_endpoint_or_none_and_never_a_crash(
    stack: Stack, session: GameSession, path: str
) -> None:
    body = json.dumps(session.debit_content()).encode()
    target = path.split("#", maxsplit=1)[0].encode()
    header = session.wallet.signer.header("POST", target, body, nonce=secrets.token_hex(16))
    head = [f"POST {path} HTTP/1.1", "content-type: application/json", f"{CASINO_HEADER}: {header}"]
    status, received = raw_request(stack, head, body)
    assert status in (200, 400, 401, 404), received
    assert b"internal" not in received


def test_an_absolute_target_is_not_a_way_round_the_signature(stack: Stack, session: GameSession) -> None:
    body = json.dumps(session.debit_content()).encode()
    target = f"{stack.casino.base_url}/casino/debit"
    status, received = raw_request(stack, [f"POST {target} HTTP/1.1", "content-type: application/json"], body)
    assert status in (400, 401, 404), received


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PATCH", "BREW"])
def test_a_strange_method_is_not_a_way_round_the_signature(stack: Stack, session: GameSession, method: str) -> None:
    body = json.dumps(session.debit_content()).encode()
    status, received = raw_request(stack, [f"{method} /casino/debit HTTP/1.1"], body)
    assert status in (400, 401, 405, 501), received


def test_a_method_override_is_not_heeded(session: GameSession) -> None:
    wallet = session.wallet
    headers = {"x-http-method-override": "POST"}
    answer = wallet.send(wallet.signer.prepare("GET", "/casino/debit", headers=headers))
    assert answer.verdict == (405, "method_not_allowed")


def mutated(value: str, rng: random.Random) -> str:
    """One character changed, dropped, doubled or inserted."""
    place, letter = rng.randrange(len(value)), chr(rng.randrange(33, 127))
    return rng.choice(
        [
            value[:place] + letter + value[place + 1 :],
            value[:place] + value[place + 1 :],
            value[:place] + value[place] + value[place:],
            value[:place] + letter + value[place:],
        ]
    )


def test_no_mutated_signature_header_is_accepted_or_crashes(stack: Stack, session: GameSession) -> None:
    """Row E3."""
    seed = random.randrange(2**32)
    rng, wallet = random.Random(seed), session.wallet
    before, body = session.balance(), json.dumps(session.debit_content()).encode()
    for _ in range(MUTATIONS):
        good = wallet.signer.header("POST", b"/casino/debit", body, nonce=secrets.token_hex(16))
        bad = mutated(good, rng)
        if bad == good:
            continue
        answer = wallet.send(wallet.signer.prepare("POST", "/casino/debit", body, signature_values=[bad]))
        assert (answer.status, answer.signature) == (401, "missing"), f"seed {seed}: {bad}"
    assert session.balance() == before, f"seed {seed}"


def random_value(rng: random.Random, depth: int = 0) -> object:
    scalars = [
        None, True, 0, -1, 1000, 2**53, 2**63, 2**64, -(2**63) - 1, 10**30, 1.5, -0.0, 1e308, "", "1", "x" * 200,
        "\u0000", "é", "🎰", "' or 1=1", "\\u0000", "{}", "null", "9" * 40,
    ]  # fmt: skip
    if depth >= DEPTH_MAX or rng.random() < 0.7:
        return rng.choice(scalars)
    if rng.random() < 0.5:
        return [random_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {rng.choice(["a", "userId", ""]) + str(n): random_value(rng, depth + 1) for n in range(rng.randrange(4))}


def test_no_random_value_in_any_field_crashes_the_wallet(stack: Stack, session: GameSession) -> None:
    """Every answer keeps the manners of the contract (the client checks), and none is a 500."""
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    for _ in range(RANDOM_BODIES):
        endpoint = rng.choice(["debit", "credit", "rollback", "getBalance"])
        content = {
            "debit": session.debit_content,
            "credit": lambda: session.credit_content(0, round_id=new_id(), related=new_id()),
            "rollback": lambda: session.rollback_content(new_id(), round_id=new_id()),
            "getBalance": session.who,
        }[endpoint]()
        for field in rng.sample([*content, "currency", "reason", "endRound"], k=rng.randrange(1, 4)):
            content[field] = random_value(rng)
        answer = session.post(endpoint, content)
        assert answer.status in (200, *CODES_BY_STATUS), f"seed {seed}"
        assert answer.status < 500, f"seed {seed}: {endpoint} {content}"


def test_headers_of_many_kilobytes_are_refused_without_harm(stack: Stack, session: GameSession) -> None:
    head = ["POST /casino/debit HTTP/1.1", "x-padding: " + "x" * 200_000]
    try:
        status, _ = raw_request(stack, head, b"{}")
    except (ConnectionError, IndexError):
        status = 400
    assert status in (400, 401, 413, 431)
    assert session.get_balance().status == 200
