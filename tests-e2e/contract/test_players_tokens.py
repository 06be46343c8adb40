"""Players' access tokens, byte by byte against running services: rotation, one spelling, and the end of all of them."""

import base64
import hashlib
import hmac
import json
import re
import socket
import time
from collections.abc import Callable
from functools import partial

import pytest

from e2e_testing.service_process import run_command
from e2e_testing.stack import Stack, StartStack
from shared_service_testing.waiting import wait_until

TOKEN_SECRET = "the-players-token-secret-e47f0a5b92d8136c"
NEXT_SECRET = "the-players-next-secret-39a6d1f05c7be824f2"
OUTSIDE_DEMO_MODE = {
    "CASINO_DEMO": "0",
    "CASINO_SECRET": "one-good-casino-secret-0c5e1a94f7d2836b",
    "PROVIDER_SECRET": "one-good-provider-secret-7b20f9d6e8a1435c",
    "CASINO_ACCESS_TOKEN_SECRET": TOKEN_SECRET,
    "CASINO_PEPPER": "41c7d90e6ab35f28d17e04b9f3a86c52-pepper",
    "PROVIDER_SEALING_KEY": "92f6b03d1c7ae458706be3d9f41a85c2-sealing",
    "CASINO_ACCESS_TOKEN_KEYS": json.dumps([{"id": "k2", "secret": NEXT_SECRET}]),
    "LOG_FORMAT": "json",
}
PATIENCE_SECONDS = 60.0
MISSING, INVALID, OPENED = (401, "access_token_missing"), (401, "access_token_invalid"), (201, None)
Verdict = tuple[int, str | None]


def part(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def token(player_id: str, *, secret: str = TOKEN_SECRET, header: object = None, **changes: object) -> str:
    now = int(time.time())
    claims = {"sub": player_id, "aud": "casino-player", "iat": now, "exp": now + 600} | changes
    parts = ({"alg": "HS256", "typ": "JWT"} if header is None else header, claims)
    signed = ".".join(part(json.dumps(each).encode()) for each in parts)
    return f"{signed}.{part(hmac.digest(secret.encode(), signed.encode(), hashlib.sha256))}"


def launch(stack: Stack, *authorizations: bytes | str, body: bytes = b'{"gameId":"1"}') -> Verdict:
    """The verdict on a launch with these header lines, as bytes on a connection of its own."""
    lines = [line.encode() if isinstance(line, str) else line for line in authorizations]
    head = (
        b"POST /casino/launchGame HTTP/1.1\r\nhost: casino\r\ncontent-type: application/json\r\nconnection: close\r\n"
    )
    head += b"".join(b"authorization: " + line + b"\r\n" for line in lines)
    head += b"content-length: %d\r\n\r\n" % len(body)
    address = ("127.0.0.1", stack.casino_process.port)
    said = b""
    with socket.create_connection(address, PATIENCE_SECONDS) as wire:
        wire.sendall(head + body)
        while more := wire.recv(65_536):
            said += more
    head, _, content = said.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), json.loads(content).get("code")


@pytest.fixture(scope="module")
def two(start_module_stack: StartStack) -> tuple[Stack, Stack]:
    """Two casinos outside demo mode on one database."""
    one = start_module_stack(casino_settings=OUTSIDE_DEMO_MODE, provider_settings=OUTSIDE_DEMO_MODE)
    other = start_module_stack(like=one, casino_settings=OUTSIDE_DEMO_MODE, provider_settings=OUTSIDE_DEMO_MODE)
    return one, other


REFUSED: dict[str, Callable[[str], list[bytes | str]]] = {
    "two headers": lambda good: [f"Bearer {good}", f"Bearer {good}"],
    "two headers, one of them empty": lambda good: [f"Bearer {good}", ""],
    "a header of another scheme first": lambda good: ["Basic YTpi", f"Bearer {good}"],
    "two in one header": lambda good: [f"Bearer {good}, Bearer {good}"],
    "a blank within": lambda good: [f"Bearer {good[:20]} {good[20:]}"],
    "a letter that is none": lambda good: [f"Bearer {good}".encode() + b"\xff"],
    "padding": lambda good: [f"Bearer {good}="],
    "sixty kilobytes": lambda good: ["Bearer " + "a" * 60_000],
    "dots only": lambda good: ["Bearer " + "." * 4_000],
    "brackets": lambda good: [f"Bearer {part(b'[' * 2_000)}.{part(b'[' * 900)}.{'A' * 43}"],
}


def test_one_token_in_one_spelling_is_let_in(two: tuple[Stack, Stack]) -> None:
    """Row E7."""
    stack, player = two[0], two[0].open_player()
    for name, lines in REFUSED.items():
        assert launch(stack, *lines(token(player))) == INVALID, name
    week = int(time.time()) + 7 * 86_400
    for name, bad in {
        "for a week": token(player, exp=week),
        "unsigned": token(player, header={"alg": "none"}),
        "of the provider's secret": token(player, secret=OUTSIDE_DEMO_MODE["CASINO_SECRET"]),
        "with an extension": token(player, header={"alg": "HS256", "crit": ["x"], "x": 1}),
        "of a key under another name": token(player, secret=NEXT_SECRET),
        "of an unknown key": token(player, header={"alg": "HS256", "kid": "k3"}),
    }.items():
        assert launch(stack, f"Bearer {bad}") == INVALID, name
    assert launch(stack) == launch(stack, "Basic YTpi") == MISSING
    simulated = stack.client.post(f"{stack.casino.base_url}/casino/simulateRound", json={"userId": "1", "gameId": "1"})
    assert simulated.status_code == 404, "there are simulated rounds in demo mode only"
    named = json.dumps({"gameId": "1", "userId": "somebody-else"}).encode()
    assert launch(stack, f"Bearer {token(player)}", body=named) == (403, "session_player_mismatch")
    opened = "select from casino.game_sessions where player_id = %(player)s"
    assert stack.books.rows(opened, player=player) == []
    assert launch(stack, f"Bearer {token(player)}") == OPENED
    rotated = token(player, secret=NEXT_SECRET, header={"alg": "HS256", "kid": "k2"})
    assert launch(stack, f"bearer   {rotated}") == OPENED
    log = stack.casino_process.log_path.read_text()
    whys = {json.loads(line).get("why") for line in log.splitlines() if "request_refused" in line}
    assert "several_headers" in whys, "the first ones of a flood are logged whole"
    assert all(why is None or re.fullmatch("[a-z_]{1,30}", why) for why in whys), whys
    assert token(player)[:20] not in log
    assert "Traceback" not in log


def is_refused_and_logged(stack: Stack, authorization: str, text: str) -> bool:
    """The log leaves lines out while more than ten tokens a second are refused, as the tests before may have done."""
    return launch(stack, authorization) == INVALID and text in stack.casino_process.log_path.read_text()


def test_all_tokens_of_a_player_end_at_once_in_every_process(two: tuple[Stack, Stack]) -> None:
    """Row E7. The command needs no secret."""
    player, other = two[0].open_player(), two[0].open_player()
    used, unused = token(player), token(player, jti="2")
    for stack in two:
        assert launch(stack, f"Bearer {used}") == OPENED
    given = two[0].casino_process.environment
    told = run_command(
        "casino", f"revoke-tokens {player}", {name: given[name] for name in ("CASINO_OWNER_DATABASE_URL",)}
    )
    assert told.returncode == 0, told.stderr
    closed = "select from casino.game_sessions where player_id = %(player)s and closed_at is not null"
    assert len(two[0].books.rows(closed, player=player)) == 2
    for stack in two:
        assert launch(stack, f"Bearer {used}") == launch(stack, f"Bearer {unused}") == INVALID
        assert launch(stack, f"Bearer {token(other)}") == OPENED
        wait_until(
            partial(is_refused_and_logged, stack, f"Bearer {used}", '"why": "revoked"'), "the refusal in the log"
        )
    later = int(time.time()) + 30
    assert launch(two[1], f"Bearer {token(player, iat=later)}") == OPENED
