"""Bodies as they arrive: too large, in pieces, cut off, garbage. Never a 500, and never more memory than the bound."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.typing import EventDict

from casino_testing.edge import CASINO_RING, JSON, Service, bet
from casino_testing.processes import WAIT_SECONDS_MAX
from shared_signing.signer import Signer

ENDPOINTS = ["debit", "credit", "rollback", "getBalance"]
garbage = st.one_of(
    st.binary(max_size=80),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    ).map(msgspec.json.encode),
    st.dictionaries(
        st.sampled_from(["sessionToken", "userId", "transactionId", "roundId", "amount", "originalTransactionId"]),
        st.integers() | st.text(max_size=10) | st.just("1"),
    ).map(msgspec.json.encode),
)


async def test_whatever_a_signed_body_holds_the_answer_is_signed_and_never_a_500(service: Service) -> None:
    bodies: list[tuple[str, bytes]] = []

    @settings(suppress_health_check=list(HealthCheck))
    @given(endpoint=st.sampled_from(ENDPOINTS), body=garbage)
    def collect(endpoint: str, body: bytes) -> None:
        bodies.append((endpoint, body))

    collect()
    for endpoint, body in bodies:
        response = await service.post(endpoint, body)
        assert response.status_code in (400, 404), (endpoint, body, response.text)
        assert response.json()["code"] in {"malformed_json", "invalid_field", "bad_amount", "session_not_found"}


async def test_whatever_a_client_sends_the_answer_is_never_a_500(service: Service) -> None:
    bodies: list[bytes] = []

    @settings(suppress_health_check=list(HealthCheck))
    @given(body=garbage)
    def collect(body: bytes) -> None:
        bodies.append(body)

    collect()
    for path in ("/casino/launchGame", "/casino/simulateRound"):
        for body in bodies:
            response = await service.anybody.post(path, content=body, headers=JSON)
            assert response.status_code in (400, 404), (body, response.text)


async def call(service: Service, path: str, messages: list[dict[str, Any]], headers: list[tuple[bytes, bytes]]) -> Any:
    """Call the application as a server does, message by message; returns the answer's code, None when there is none."""
    sent: list[dict[str, Any]] = []
    waiting = list(messages)

    async def receive() -> dict[str, Any]:
        assert waiting, "the application reads beyond the end"
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": headers,
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2), "state": {},
    }  # fmt: skip
    await asyncio.wait_for(service.app(scope, receive, send), timeout=WAIT_SECONDS_MAX)
    body = b"".join(message.get("body", b"") for message in sent)
    return msgspec.json.decode(body)["code"] if body else None


def part(body: bytes, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


HANG_UP = {"type": "http.disconnect"}
AS_JSON = [(b"content-type", b"application/json")]


def signed(body: bytes, path: str = "/casino/debit") -> list[tuple[bytes, bytes]]:
    header = Signer(CASINO_RING, clock=time.time).sign_request("POST", path, body).header
    return [*AS_JSON, (b"x-casino-signature", header.encode())]


BODY_MAX_BYTES = 65_536
TOO_LARGE = b'{"a":"' + b"x" * BODY_MAX_BYTES + b'"}'


@pytest.mark.parametrize(
    "messages",
    [
        [part(TOO_LARGE)],
        [part(TOO_LARGE[:40_000], True), part(TOO_LARGE[40_000:])],
        [part(b"x" * 60_000, True)] * 2,
    ],
    ids=["in one piece", "in two pieces", "without end"],
)
async def test_a_body_over_the_bound_is_refused_however_it_arrives(
    service: Service, messages: list[dict[str, Any]]
) -> None:
    assert await call(service, "/casino/launchGame", messages, AS_JSON) == "body_too_large"
    assert await call(service, "/casino/debit", messages, signed(TOO_LARGE)) == "body_too_large"


async def test_a_declared_length_over_the_bound_is_refused_before_reading(service: Service) -> None:
    headers = [*AS_JSON, (b"content-length", str(BODY_MAX_BYTES + 1).encode())]
    assert await call(service, "/casino/launchGame", [], headers) == "body_too_large"
    assert await call(service, "/casino/debit", [], headers) == "body_too_large"


async def test_a_body_of_exactly_the_bound_is_read(service: Service) -> None:
    padding = BODY_MAX_BYTES - len(b'{"a":""}')
    body = b'{"a":"' + b"x" * padding + b'"}'
    assert await call(service, "/casino/debit", [part(body)], signed(body)) == "invalid_field"
    pieces = [part(body[:1], True), part(body[1:], True), part(b"")]
    assert await call(service, "/casino/debit", pieces, signed(body)) == "invalid_field"
    assert await call(service, "/casino/launchGame", pieces, AS_JSON) == "invalid_field"


@pytest.mark.parametrize("path", ["/casino/launchGame", "/casino/debit"])
async def test_a_caller_that_hangs_up_in_its_body_is_let_go_quietly(
    service: Service, logged: list[EventDict], path: str
) -> None:
    body = msgspec.json.encode(bet("token"))
    assert await call(service, path, [part(body[:10], True), HANG_UP], signed(body)) is None
    assert await call(service, path, [HANG_UP], signed(body)) is None
    assert not [event for event in logged if event["log_level"] == "error"]


async def test_a_compressed_body_is_refused_before_reading(service: Service) -> None:
    for encoding in (b"gzip", b"deflate", b"br", b"gzip, identity"):
        headers = [*AS_JSON, (b"content-encoding", encoding)]
        assert await call(service, "/casino/launchGame", [], headers) == "unsupported_media_type", encoding
        assert await call(service, "/casino/debit", [], headers) == "unsupported_media_type", encoding


MEDIA_TYPES = ("", "text/json", "application/x-www-form-urlencoded", "application/json; charset=utf-16")


async def test_a_signed_body_is_read_as_json_whatever_the_header_says(service: Service) -> None:
    """Protocol section 2: no signature covers the header, so nothing depends on it."""
    token = await service.launch()
    for content_type in MEDIA_TYPES:
        response = await service.post("debit", bet(token), headers={"content-type": content_type})
        assert response.status_code == 200, content_type


async def test_a_client_that_declares_another_media_type_is_refused(service: Service) -> None:
    for content_type in MEDIA_TYPES:
        headers = {"content-type": content_type}
        response = await service.anybody.post("/casino/launchGame", content=b"{}", headers=headers)
        assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type"), content_type


async def test_a_client_that_declares_another_charset_than_utf_8_is_refused(service: Service) -> None:
    body = {"userId": "1", "gameId": "1"}
    for charset, status in (
        ("iso-8859-1", 415), ("utf-16", 415), ('"latin1"', 415), ("", 415),
        ("UTF-8", 201), ('"utf-8"', 201), ("utf8", 201),
    ):  # fmt: skip
        headers = {"content-type": f"application/json; charset={charset}"}
        response = await service.anybody.post("/casino/launchGame", content=msgspec.json.encode(body), headers=headers)
        assert response.status_code == status, charset


async def test_another_method_is_not_allowed_and_the_answer_is_signed(service: Service) -> None:
    for method in ("GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"):
        response = await service.signed.request(method, "/casino/debit")
        assert (response.status_code, response.headers["allow"]) == (405, "POST"), method
        assert response.extensions["signature"] == "good", method
        assert (await service.anybody.request(method, "/casino/launchGame")).status_code == 405, method


async def test_unread_garbage_does_not_slow_the_next_call(service: Service) -> None:
    body = b'{"a":' * 12_000
    started = time.process_time()  # the service's own time: that of other processes does not count
    response: httpx.Response = await service.post("debit", body)
    assert response.json()["code"] == "malformed_json"
    assert time.process_time() - started < 0.5
