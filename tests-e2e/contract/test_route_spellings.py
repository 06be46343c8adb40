"""Nothing but a route's exact path, with the right credentials, reaches its handler.

The routes come from the running application's own table. Each is asked for over a socket in thousands of spellings,
unsigned and with a good signature over that very spelling. A sample in CI; all of them with NIGHTLY=1.
"""

import json
import re
import secrets
import socket
import subprocess
import sys
from dataclasses import dataclass

import pytest

from e2e_testing.game_session import Bet, GameSession, new_id
from e2e_testing.raw_wire import PATIENCE_SECONDS
from e2e_testing.service_process import ServiceProcess, full_environment
from e2e_testing.signing_client import Signer
from e2e_testing.spellings import Spelling, spellings
from e2e_testing.stack import CURRENCY, TENANT, Stack, StartStack
from shared_service_testing.sampling import SEED, sampled

SAMPLE = 8
"""Of each route's spellings."""
ROUTES_SAMPLE = 12
"""Of the routes that headers of proxies name."""
REFUSALS: dict[int, set[str]] = {
    400: {"malformed_request"},
    404: {"not_found"},
    405: {"method_not_allowed"},
    401: {"signature_missing", "play_token_invalid"},
    303: set(),
}
"""303: a page without a login leads to the one that logs in, whatever the method."""
PLATFORM = b"/api/v1/"
"""Below it codes are in capitals, but for what is refused before a path is read."""
PAGES_CODE = re.compile(rb'data-test="refusal" data-code="([A-Za-z_]+)"')
STATUS_LINE = re.compile(rb"HTTP/1\.1 [0-9]{3} ")
ROUTES = """
import json, sys
from {package}.app import create_from_environment
json.dump([[r.path, sorted(r.methods), r.access] for r in create_from_environment().state.table.routes], sys.stdout)
"""


@dataclass(frozen=True, slots=True)
class KnownRoute:
    path: str
    methods: list[str]
    access: str


@pytest.fixture(scope="module")
def separate(start_module_stack: StartStack) -> Stack:
    """A stack of this module's own: thousands of refusals would fill the log of the shared one."""
    return start_module_stack()


def routes_of(service: ServiceProcess) -> list[KnownRoute]:
    """What the service itself says that it serves."""
    told = subprocess.run(
        [sys.executable, "-c", ROUTES.format(package=service.package)],
        env=full_environment({**service.environment, "LOG_LEVEL": "error"}),
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    routes = [KnownRoute(*each) for each in json.loads(told.stdout.splitlines()[-1])]
    assert routes
    return routes


def body_for(route: KnownRoute, session: GameSession, bet: Bet) -> bytes:
    """What would move money if the route's handler were reached."""
    content: dict[str, object] = {"userId": session.user_id, "gameId": "1"}
    if route.path == "/casino/debit":
        content = session.debit_content(1_000)
    elif route.path == "/casino/credit":
        content = session.credit_content(5_000, round_id=bet.round_id, related=bet.transaction_id)
    elif route.path == "/casino/rollback":
        content = session.rollback_content(bet.transaction_id, round_id=bet.round_id)
    elif route.path == "/casino/getBalance":
        content = session.who()
    elif route.path == "/provider/spin":
        content = session.who() | {
            "providerSessionId": session.provider_session_id,
            "gameId": "SLOTS_001",
            "currency": CURRENCY,
            "casinoCode": TENANT,
            "stake": 1000,
            "spinId": new_id(),
        }
    return json.dumps(content).encode()


def ask(port: int, asked: Spelling, body: bytes, *fields: bytes) -> tuple[int | None, bytes]:
    """Status and body of the answer; None when the service closed instead."""
    head = [b"host: x", b"connection: close", b"content-type: application/json", b"content-length: %d" % len(body)]
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as raw:
        said = b""
        try:
            raw.sendall(asked.request_line + b"\r\n".join((*head, *fields, b"", b"")) + body)
            raw.shutdown(socket.SHUT_WR)
            while part := raw.recv(65_536):
                said += part
        except ConnectionError:
            pass
    if not said:
        return None, b""
    assert len(STATUS_LINE.findall(said)) == 1, f"not one answer to one request: {asked.request_line!r}, {said!r}"
    return int(said.split(b" ", 2)[1]), said.partition(b"\r\n\r\n")[2]


def require_refused(asked: Spelling, answer: tuple[int | None, bytes]) -> None:
    status, body = answer
    if status is None:
        return
    assert status in REFUSALS, f"{asked.request_line!r} was answered with {status}: {body[:200]!r}"
    if body and asked.method != b"HEAD":
        codes = REFUSALS[status]
        if asked.request_line.split(b" ")[1].startswith(PLATFORM):
            codes = codes | {"TOKEN_MISSING" if code == "signature_missing" else code.upper() for code in codes}
        if asked.target.startswith(b"/?"):
            codes = codes | {"invalid_field"}  # that names the first page, with a parameter that it does not have
        assert code_in(body) in codes, (asked.request_line, body)


def code_in(body: bytes) -> str:
    """The code of a refusal: a page's in small letters, because two APIs share its table."""
    page = PAGES_CODE.search(body)
    return str(page[1].decode().lower() if page else json.loads(body)["code"])


@pytest.mark.parametrize("package", ["casino", "provider"])
@pytest.mark.parametrize("signed", [False, True])
def test_no_other_spelling_reaches_a_handler(separate: Stack, package: str, signed: bool) -> None:
    service, session = separate.services[package], separate.session()
    bet = session.bet(1_000)
    signer = Signer(separate.casino if package == "casino" else separate.provider)
    header = signer.peer.header_name.encode()
    reached = 0
    for number, route in enumerate(routes_of(service)):
        path = route.path.replace("{transaction_id}", bet.transaction_id)
        for asked in sampled(spellings(path, route.methods), SAMPLE, seed=f"{SEED}/{number}"):
            if asked.is_exact and (signed or route.access != "signed"):
                continue  # that is the right way to ask
            body = body_for(route, session, bet)
            fields = []
            if signed:
                text = signer.header(
                    asked.method.decode("latin-1"), asked.target, body, nonce=secrets.token_hex(16)
                )  # fmt: skip
                fields = [header + b": " + text.encode()]
            answer = ask(service.port, asked, body, *fields)
            if is_another_route(asked, route.path):
                assert answer[0] != 500, answer  # such as an id with one letter more: a look-up of its own
                continue
            require_refused(asked, answer)
            reached += 1
    assert reached > 100
    assert session.balance() == session.opening_balance_minor - 1_000, "nothing was booked"
    assert (
        separate.books.rows("select 1 from casino.transactions where signed_by is null and feed_position is not null")
        == []
    )


def is_another_route(asked: Spelling, template: str) -> bool:
    """Whether the spelling still names the route, with another id in it: the id of a look-up may be any segment."""
    if "{" not in template:
        return False
    stem = template.split("{", maxsplit=1)[0].encode()
    return asked.target.startswith(stem) and len(asked.target) > len(stem)


@pytest.mark.parametrize("package", ["casino", "provider"])
def test_headers_of_proxies_and_frameworks_choose_no_other_route(separate: Stack, package: str) -> None:
    service, session = separate.services[package], separate.session()
    named = [route for route in routes_of(service) if route.access not in ("public", "ops")]
    for route in sampled(named, ROUTES_SAMPLE):
        for name in (
            "x-original-url",
            "x-rewrite-url",
            "x-forwarded-uri",
            "x-forwarded-path",
            "x-http-method-override",
        ):
            value = "POST" if name.endswith("override") else route.path
            for target in (b"/x", b"/health/live", b"/nowhere"):
                asked = Spelling(b"GET", target, b"HTTP/1.1", is_exact=False)
                status, body = ask(service.port, asked, b"", f"{name}: {value}".encode())
                expected = (200, {"status": "live"}) if target == b"/health/live" else (404, None)
                assert status == expected[0], (name, target, body)
                assert expected[1] is None or json.loads(body) == expected[1]
    assert session.balance() == session.opening_balance_minor


def test_what_is_not_allowed_on_a_listener_is_not_there(separate: Stack) -> None:
    for package in ("casino", "provider"):
        service = separate.services[package]
        for route in routes_of(service):
            asked = Spelling(route.methods[-1].encode(), route.path.encode(), b"HTTP/1.1", is_exact=True)
            on_ops, _ = ask(service.ops_port, asked, b"{}")
            on_public, _ = ask(service.port, asked, b"{}")
            is_health = route.path in ("/health/live", "/health/ready")
            assert (on_ops == 404) == (route.access != "ops" and not is_health), (route, on_ops)
            assert (on_public == 404) == (route.access == "ops" or "{" in route.path), (route, on_public)
