"""A request that somebody recorded, shown again: to another process, after a restart, a rotation, to another place."""

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from e2e_testing.answers import Answer
from e2e_testing.game_session import GameSession
from e2e_testing.signing_client import AHEAD_SECONDS, Signed, SigningClient
from e2e_testing.stack import CASINO_HEADER, PROVIDER_HEADER, Stack, StartStack
from shared_service_testing.waiting import wait_until

GET_BALANCE = "/casino/getBalance"
K2_SECRET = "second-casino-secret"
MEGABYTE = 1_000_000
REPLAYED, UNKNOWN, FORGED = (401, "nonce_replay"), (401, "unknown_key"), (401, "bad_signature")


def shown(signed: Signed, wallet: SigningClient, **changes: object) -> Answer:
    """The same bytes of the header, with something else around them."""
    old = signed.request
    request = httpx.Request(
        str(changes.get("method", old.method)),
        str(changes.get("url", old.url)),
        content=old.content,
        headers={**old.headers, **changes.get("headers", {})},  # type: ignore[dict-item]
    )
    return wallet.signer.judge(signed, wallet.http.send(request))


def key_file(path: Path, *entries: dict[str, str]) -> Path:
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(entries))
    return fresh.replace(path)


def test_a_recorded_request_is_worth_nothing_anywhere_ever_again(start_stack: StartStack, tmp_path: Path) -> None:
    """Row E1. Pitfall 9. The same worker, another, after a restart, other places, after a rotation."""
    keys = key_file(tmp_path / "keys.json")
    settings = {"CASINO_KEYS_FILE": str(keys)}
    one = start_stack(casino_settings=settings)
    two = start_stack(like=one, casino_settings=settings)
    session = one.session()
    wallet = session.wallet
    ahead = int(time.time()) + AHEAD_SECONDS
    debit = wallet.signer.prepare("POST", "/casino/debit", session.debit_content(), timestamp=ahead)
    assert wallet.send(debit).status == 200
    after_the_bet = session.balance()
    first, second = one.casino.base_url, two.casino.base_url
    stolen = debit.request.headers[CASINO_HEADER]
    cases: dict[str, tuple[Answer, tuple[int, str]]] = {
        "same worker": (shown(debit, wallet), REPLAYED),
        "other worker": (shown(debit, wallet, url=f"{second}/casino/debit"), REPLAYED),
        "other host": (shown(debit, wallet, headers={"host": "casino.example"}), REPLAYED),
        "other path": (shown(debit, wallet, url=f"{first}/casino/credit"), FORGED),
        "other query": (shown(debit, wallet, url=f"{first}/casino/debit?tenant=other"), FORGED),
        "other method": (shown(debit, wallet, method="PUT"), FORGED),
        "other key id": (shown(debit, wallet, headers={CASINO_HEADER: stolen.replace("k=main", "k=k2")}), UNKNOWN),
        "other direction": (
            shown(debit, wallet, url=f"{one.provider.base_url}/provider/launch", headers={PROVIDER_HEADER: stolen}),
            FORGED,
        ),
    }
    one.casino_process.kill_9()
    one.casino_process.restart()
    cases["after a restart"] = (shown(debit, wallet), REPLAYED)
    key_file(keys, {"id": "k2", "secret": K2_SECRET})
    rotated = {CASINO_HEADER: stolen.replace("k=main", "k=k2")}
    wait_until(lambda: shown(debit, wallet, headers=rotated).verdict == FORGED, "k2 is known")
    cases["after a rotation"] = (shown(debit, wallet), REPLAYED)
    key_file(keys, {"id": "main", "notAfter": "2020-01-01T00:00:00Z"}, {"id": "k2", "secret": K2_SECRET})
    wait_until(lambda: shown(debit, wallet).verdict == UNKNOWN, "main has ended")
    assert {name: answer.verdict for name, (answer, _) in cases.items()} == {
        name: expected for name, (_, expected) in cases.items()
    }
    signed = {name for name, (answer, _) in cases.items() if answer.signature == "good"}
    assert signed == {name for name, (_, expected) in cases.items() if expected == REPLAYED}
    paid = one.books.rows(
        "select balance_minor from casino.wallets where player_id = %(player)s", player=session.user_id
    )
    assert paid == [{"balance_minor": after_the_bet}]


def raw(stack: Stack, *lines: str, body: bytes = b"") -> bytes:
    address = urlsplit(stack.casino.base_url)
    head = [f"POST {GET_BALANCE} HTTP/1.1", f"host: {address.netloc}", f"content-length: {len(body)}", *lines]
    with socket.create_connection((str(address.hostname), int(address.port or 80)), timeout=60) as connection:
        try:
            connection.sendall("\r\n".join([*head, "connection: close"]).encode() + b"\r\n\r\n" + body)
            return b"".join(iter(lambda: connection.recv(65_536), b""))
        except (BrokenPipeError, ConnectionResetError):
            return b"closed"


@pytest.fixture
def good(session: GameSession) -> Callable[[], tuple[str, bytes]]:
    def make() -> tuple[str, bytes]:
        signed = session.wallet.signer.prepare("POST", GET_BALANCE, session.who())
        return signed.request.headers[CASINO_HEADER], signed.request.content

    return make


JSON = "content-type: application/json"


def status_of(received: bytes) -> int:
    return 0 if received in (b"", b"closed") else int(received.split(b" ")[1])


def test_a_signature_header_in_another_form_is_refused_or_means_what_was_signed(
    stack: Stack, good: Callable[[], tuple[str, bytes]]
) -> None:
    """Row E2. Folded, doubled, joined, in other letters: one of them never becomes another request."""
    forms: dict[str, tuple[Callable[[str], list[str]], tuple[int, ...]]] = {
        "as it is": (lambda value: [f"{CASINO_HEADER}: {value}"], (200,)),
        "other letters in the name": (lambda value: [f"X-Casino-SIGNATURE:{value}"], (200,)),
        "white space around it": (lambda value: [f"{CASINO_HEADER}: \t {value} \t"], (200,)),
        "folded": (lambda value: [f"{CASINO_HEADER}: {value[:20]}", f" {value[20:]}"], (400, 401)),
        "folded between": (lambda value: [f"{CASINO_HEADER}: {value.split(',')[0]},", f"\t{value}"], (400, 401)),
        "twice": (lambda value: [f"{CASINO_HEADER}: {value}"] * 2, (401,)),
        "joined": (lambda value: [f"{CASINO_HEADER}: {value}, {value}"], (401,)),
        "a space before the colon": (lambda value: [f"{CASINO_HEADER} : {value}"], (400, 401)),
        "upper-case MAC": (lambda value: [f"{CASINO_HEADER}: {value[:-64]}{value[-64:].upper()}"], (401,)),
        "a bare line feed in it": (lambda value: [f"{CASINO_HEADER}: {value}\n{CASINO_HEADER}: {value}"], (400, 401)),
        "a null byte in it": (lambda value: [f"{CASINO_HEADER}: {value}\0"], (400, 401)),
        "the other direction's name": (lambda value: [f"{PROVIDER_HEADER}: {value}"], (401,)),
    }
    for name, (write, allowed) in forms.items():
        value, body = good()
        received = raw(stack, JSON, *write(value), body=body)
        assert status_of(received) in allowed, (name, received[:300])


def test_the_same_json_written_anew_is_another_body(stack: Stack, session: GameSession) -> None:
    """Row E2. Pitfall 12. Spaces, order, escapes, a number as text: equal in meaning, refused all the same."""
    content = session.who()
    anew = [
        json.dumps(content, separators=(",", ":")), json.dumps(content, indent=1),
        json.dumps(dict(reversed(content.items()))), json.dumps(content) + "\n", "\ufeff" + json.dumps(content),
        json.dumps(content).replace("userId", "user\\u0049d"),
    ]  # fmt: skip
    signed = session.wallet.signer.prepare("POST", GET_BALANCE, content)
    value = signed.request.headers[CASINO_HEADER]
    for text in anew:
        received = raw(stack, JSON, f"{CASINO_HEADER}: {value}", body=text.encode())
        assert status_of(received) == 401, text
        assert b"bad_signature" in received
    assert session.wallet.send(signed).status == 200


@pytest.mark.parametrize("length", [10_000, MEGABYTE], ids=["10 kB", "1 MB"])
def test_a_nonce_of_any_length_costs_nothing_and_stores_nothing(
    stack: Stack, good: Callable[[], tuple[str, bytes]], length: int
) -> None:
    """Row E6. Refused by its shape or by the server's bound on headers, before the nonce store hears of it."""
    value, body = good()
    long = value.replace(value.split(",")[1], "n=" + "a" * length)
    received = raw(stack, JSON, f"{CASINO_HEADER}: {long}", body=body)
    assert status_of(received) in (0, 400, 401, 431)
    assert status_of(raw(stack, JSON, f"{CASINO_HEADER}: {value}", body=body)) == 200, "the service is well"


def test_forgeries_leave_the_nonce_store_empty(session: GameSession, stack: Stack) -> None:
    """Row E6. A thousand of them, each with a nonce of its own, and none is stored."""
    if stack.database is None:
        pytest.skip("against compose: the database is not ours to read")
    nonces = "select count(*) as stored from casino.nonces"
    wallet = session.wallet
    assert wallet.send(wallet.signer.prepare("POST", GET_BALANCE, session.who())).status == 200
    before = stack.books.rows(nonces)
    for _ in range(1000):
        forged = wallet.signer.prepare("POST", GET_BALANCE, session.who(), key="forger")
        assert wallet.send(forged).verdict == FORGED
    assert stack.books.rows(nonces) == before
