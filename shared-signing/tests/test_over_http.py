"""Signing client and verifying server over real HTTP on loopback: the server sees the bytes that were signed."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import uvicorn

from shared_signing.asgi import SignedEndpoints
from shared_signing.httpx_auth import SignedAuth
from shared_signing.keys import KeyRing, parse_keys
from shared_signing.nonces import InMemoryNonceStore
from shared_signing.signer import Signer
from shared_signing.verifier import Verifier

HEADER = "x-casino-signature"
RING = KeyRing(parse_keys("casino-secret", None))
WAIT_SECONDS = 60


async def echo(scope: Any, receive: Any, send: Any) -> None:
    message = await receive()
    if scope["path"] == "/casino/crash":
        raise ZeroDivisionError
    text = scope["raw_path"] + b" " + scope["query_string"] + b" " + message["body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": text[:10], "more_body": True})
    await send({"type": "http.response.body", "body": text[10:]})


def refuse(scope: Any, code: str, extras: Any) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    return {"body_too_large": 413, "internal": 500}.get(code, 401), [], code.encode()


@pytest.fixture(scope="module", params=["httptools", "h11"])
def base_url(request: pytest.FixtureRequest) -> Iterator[str]:
    edge = SignedEndpoints(
        echo,
        header_name=HEADER,
        verifier=Verifier(RING, InMemoryNonceStore()),
        signer=Signer(RING),
        refuse=refuse,
    )
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(edge, http=request.param, lifespan="off", log_level="critical", timeout_keep_alive=WAIT_SECONDS)
    )

    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()  # the socket listens already: what comes before the server is ready waits in its backlog
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(WAIT_SECONDS)
        listener.close()


@pytest.fixture
def client(base_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=base_url, auth=SignedAuth(Signer(RING), RING, HEADER), timeout=WAIT_SECONDS) as client:
        yield client


@pytest.mark.parametrize(
    "target",
    [
        "/casino/transactions?after=0&limit=100",
        "/casino/a%2Fb%2fc?x=%2F",
        "/casino/a b/é?ü=1",
        "/casino//x;y=1,z@!$&'()*+~",
        "/casino/x?a=b?c/d&&e",
        "/casino/%zz?%",
    ],
)
def test_any_target_arrives_as_it_was_signed(client: httpx.Client, target: str) -> None:
    response = client.request("GET", target)
    assert response.status_code == 200
    assert response.extensions["signature"] == "good"
    path, _, query = response.request.url.raw_path.partition(b"?")
    assert response.content == path + b" " + query + b" "


@pytest.mark.parametrize("size", [0, 1, 65_000, 65_536])
def test_a_body_up_to_the_bound_arrives_as_it_was_signed(client: httpx.Client, size: int) -> None:
    response = client.post("/casino/debit", content=b"x" * size)
    assert (response.status_code, response.extensions["signature"]) == (200, "good")
    assert len(response.content) == len("/casino/debit  ") + size


def test_a_chunked_body_arrives_as_it_was_signed(client: httpx.Client) -> None:
    response = client.post("/casino/debit", content=iter([b"a" * 100, b"b" * 100]))
    assert response.request.headers["transfer-encoding"] == "chunked"
    assert (response.status_code, response.extensions["signature"]) == (200, "good")


def test_a_body_over_the_bound_is_refused_and_the_connection_can_be_used_again(client: httpx.Client) -> None:
    for content in (b"x" * 65_537, iter([b"x" * 40_000] * 2)):
        response = client.post("/casino/debit", content=content)
        assert (response.status_code, response.text) == (413, "body_too_large")
        assert response.extensions["signature"] == "missing"
        assert client.post("/casino/debit").extensions["signature"] == "good"


def test_a_head_request_gets_a_good_signature(client: httpx.Client) -> None:
    response = client.head("/casino/x")
    assert (response.status_code, response.content, response.extensions["signature"]) == (200, b"", "good")


def test_a_crash_is_a_signed_answer_that_ends_the_connection(client: httpx.Client) -> None:
    response = client.post("/casino/crash")
    assert (response.status_code, response.text, response.extensions["signature"]) == (500, "internal", "good")
    assert response.headers["connection"] == "close"
    assert client.post("/casino/debit").status_code == 200


async def test_an_asynchronous_client_signs_and_judges_the_same(base_url: str) -> None:
    auth = SignedAuth(Signer(RING), RING, HEADER)
    async with httpx.AsyncClient(base_url=base_url, auth=auth, timeout=WAIT_SECONDS) as client:
        result = await asyncio.gather(*(client.post("/casino/debit", json={"n": n}) for n in range(20)))
    assert {response.extensions["signature"] for response in result} == {"good"}


def test_a_caller_that_hangs_up_in_its_body_leaves_the_server_well(base_url: str, client: httpx.Client) -> None:
    host, port = base_url.removeprefix("http://").split(":")
    for _ in range(5):
        with socket.create_connection((host, int(port)), timeout=WAIT_SECONDS) as connection:
            connection.sendall(b"POST /casino/debit HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf")
    assert client.post("/casino/debit").extensions["signature"] == "good"


def test_a_curl_like_caller_that_signs_by_hand_is_understood(base_url: str) -> None:
    signed = Signer(RING).sign_request("POST", "/casino/debit?a=%20", b"{}")
    host, port = base_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=WAIT_SECONDS) as connection:
        connection.sendall(
            b"POST /casino/debit?a=%20 HTTP/1.1\r\nHost: x\r\nX-Casino-Signature:   "
            + signed.header.encode()
            + b"  \r\n"
            b"Content-Length: 2\r\nConnection: close\r\n\r\n{}"
        )
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"\r\nx-casino-signature: t=") == 1
    assert answer.endswith(b"\r\n\r\n/casino/debit a=%20 {}")
