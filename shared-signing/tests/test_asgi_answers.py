"""The ASGI middleware and answers: every answer to an accepted request is signed, errors too."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

SIGNATURE = b"x-casino-signature"
ran: list[str] = []


async def echo(request: Request) -> Response:
    return JSONResponse({"by": request.state.signed_by, "body": (await request.body()).decode()})


async def refuse_it(request: Request) -> Response:
    return JSONResponse({"code": "insufficient_balance"}, status_code=402, headers={"idempotent-replay": "true"})


async def stream(request: Request) -> Response:
    return StreamingResponse(iter([b"a" * 1000, b"", b"b" * 1000]))


async def nothing(request: Request) -> Response:
    return Response(status_code=204)


async def later(request: Request) -> Response:
    return PlainTextResponse("now", background=BackgroundTask(ran.append, "later"))


async def crash(request: Request) -> Response:
    raise ZeroDivisionError


WALLET = Starlette(
    routes=[
        Route("/casino/echo", echo, methods=["POST"]),
        Route("/casino/refuse", refuse_it, methods=["POST"]),
        Route("/casino/stream", stream),
        Route("/casino/nothing", nothing, methods=["POST"]),
        Route("/casino/later", later, methods=["POST"]),
        Route("/casino/crash", crash, methods=["POST"]),
    ]
)


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("POST", "/casino/echo", 200),
        ("POST", "/casino/refuse", 402),
        ("GET", "/casino/stream", 200),
        ("POST", "/casino/nothing", 204),
        ("POST", "/casino/later", 200),
        ("GET", "/casino/nowhere", 404),
        ("GET", "/casino/echo", 405),
    ],
)
async def test_every_status_is_signed_and_framed(
    peers: Any, send_to: Any, method: str, target: str, status: int
) -> None:
    headers, nonce = peers.sign(method, target, b"{}")
    answer = await send_to(peers.edge(WALLET), method, target, headers=headers, body=b"{}")
    assert answer.status == status
    assert peers.believes(answer, nonce)
    lengths = [] if status == 204 else [str(len(answer.body)).encode()]
    assert answer.all(b"content-length") == lengths


async def test_an_answer_is_signed_with_the_key_of_its_request(peers: Any, send_to: Any) -> None:
    main = peers.ring.verifying_key("main", peers.clock.now)
    newest = peers.ring.signing_key(peers.clock.now)
    peers.ring.replace([main])
    headers, nonce = peers.sign(target="/casino/echo")
    peers.ring.replace([main, newest])
    answer = await send_to(peers.edge(WALLET), target="/casino/echo", headers=headers)
    assert b"k=main," in answer.all(SIGNATURE)[0]
    assert b'"by":"main"' in answer.body
    assert peers.believes(answer, nonce)


async def test_other_headers_of_the_answer_stay(peers: Any, send_to: Any) -> None:
    headers, _ = peers.sign(target="/casino/refuse")
    answer = await send_to(peers.edge(WALLET), target="/casino/refuse", headers=headers)
    assert answer.all(b"idempotent-replay") == [b"true"]
    assert answer.all(b"content-type") == [b"application/json"]


async def test_work_after_the_answer_still_runs(peers: Any, send_to: Any) -> None:
    ran.clear()
    headers, _ = peers.sign(target="/casino/later")
    await send_to(peers.edge(WALLET), target="/casino/later", headers=headers)
    assert ran == ["later"]


async def test_what_a_head_request_gets_is_signed_without_a_body(peers: Any, send_to: Any) -> None:
    headers, nonce = peers.sign("HEAD", "/casino/stream")
    answer = await send_to(peers.edge(WALLET), "HEAD", "/casino/stream", headers=headers)
    assert (answer.status, answer.body) == (200, b"")
    assert peers.believes(answer, nonce)


async def test_a_coded_answer_is_signed_as_it_goes_on_the_wire(peers: Any, send_to: Any) -> None:
    headers, nonce = peers.sign("GET", "/casino/stream")
    headers.append((b"accept-encoding", b"gzip"))
    answer = await send_to(peers.edge(GZipMiddleware(WALLET)), "GET", "/casino/stream", headers=headers)
    assert answer.all(b"content-encoding") == [b"gzip"]
    assert len(answer.body) < 2000
    assert peers.believes(answer, nonce)


def start(status: int = 200, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def part(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}


class Broken:
    """An application that sends these messages, then raises if it has something to raise."""

    def __init__(self, *messages: dict[str, Any], error: BaseException | None = None) -> None:
        self._messages = messages
        self._error = error

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        for message in self._messages:
            await send(message)
        if self._error is not None:
            raise self._error


async def outcome(
    peers: Any, send_to: Any, app: Any, target: str = "/casino/debit", **options: Any
) -> tuple[Any, str, BaseException | None]:
    """The answer, the nonce of the request, and the application's error."""
    caught: list[BaseException] = []

    async def catching(scope: Any, receive: Any, send: Any) -> None:
        try:
            await peers.edge(app, **options)(scope, receive, send)
        except BaseException as error:  # the tests look at it
            caught.append(error)

    headers, nonce = peers.sign(target=target)
    answer = await send_to(catching, target=target, headers=headers)
    return answer, nonce, caught[0] if caught else None


async def test_a_crash_of_the_application_is_a_signed_answer_and_still_an_error(peers: Any, send_to: Any) -> None:
    # Starlette answers 500 and then raises, so that the server logs it.
    answer, nonce, error = await outcome(peers, send_to, WALLET, "/casino/crash")
    assert (answer.status, answer.body, type(error)) == (500, b"Internal Server Error", ZeroDivisionError)
    assert peers.believes(answer, nonce)


BROKEN: dict[str, tuple[Broken, type[BaseException] | None]] = {
    "raises before it answers": (Broken(error=ValueError("x")), ValueError),
    "raises after its start": (Broken(start(), error=ValueError("x")), ValueError),
    "raises after half a body": (Broken(start(), part(b"half", more=True), error=ValueError("x")), ValueError),
    "answers nothing": (Broken(), None),
    "answers only a start": (Broken(start()), None),
    "answers half a body": (Broken(start(), part(b"half", more=True)), None),
    "answers a body without a start": (Broken(part(b"x")), RuntimeError),
    "starts twice": (Broken(start(), start(201), part(b"x")), RuntimeError),
    "sends what cannot be signed": (Broken(start(), {"type": "http.response.pathsend", "path": "/x"}), RuntimeError),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_an_application_that_does_not_answer_makes_a_signed_internal_error(
    peers: Any, send_to: Any, name: str
) -> None:
    app, expected = BROKEN[name]
    answer, nonce, error = await outcome(peers, send_to, app)
    assert (answer.status, answer.body) == (500, b"internal")
    assert peers.believes(answer, nonce)
    assert [message["type"] for message in answer.messages] == ["http.response.start", "http.response.body"]
    assert answer.all(b"connection") == ([b"close"] if expected else [])
    assert type(error) is (expected or type(None))


async def test_an_error_after_the_whole_answer_changes_nothing_of_it(peers: Any, send_to: Any) -> None:
    app = Broken(start(201), part(b"done"), error=ValueError("x"))
    answer, nonce, error = await outcome(peers, send_to, app)
    assert (answer.status, answer.body, type(error)) == (201, b"done", ValueError)
    assert peers.believes(answer, nonce)


async def test_a_second_body_after_the_whole_answer_is_an_error_of_the_application(peers: Any, send_to: Any) -> None:
    answer, nonce, error = await outcome(peers, send_to, Broken(start(), part(b"done"), part(b"more")))
    assert (answer.body, type(error)) == (b"done", RuntimeError)
    assert peers.believes(answer, nonce)


async def test_a_cancelled_request_is_not_answered(peers: Any, send_to: Any) -> None:
    answer, _, error = await outcome(peers, send_to, Broken(start(), error=asyncio.CancelledError()))
    assert answer.messages == []
    assert isinstance(error, asyncio.CancelledError)


@pytest.mark.parametrize(("size", "status"), [(100, 200), (101, 500)])
async def test_an_answer_has_a_bound(peers: Any, send_to: Any, size: int, status: int) -> None:
    app = Broken(start(), part(b"x" * (size - 1), more=True), part(b"x"))
    answer, nonce, error = await outcome(peers, send_to, app, answer_body_max_bytes=100)
    assert answer.status == status
    assert peers.believes(answer, nonce)
    assert (error is None) == (status == 200)


async def test_the_application_cannot_frame_or_sign_its_answer_itself(peers: Any, send_to: Any) -> None:
    app = Broken(start(200, (b"content-length", b"999"), (SIGNATURE, b"forged"), (b"x-own", b"1")), part(b"body"))
    answer, nonce, _ = await outcome(peers, send_to, app)
    assert answer.all(b"content-length") == [b"4"]
    assert len(answer.all(SIGNATURE)) == 1
    assert answer.all(b"x-own") == [b"1"]
    assert peers.believes(answer, nonce)


@pytest.mark.parametrize("status", [204, 304])
async def test_a_status_without_a_body_is_signed_without_one(peers: Any, send_to: Any, status: int) -> None:
    answer, nonce, _ = await outcome(peers, send_to, Broken(start(status), part(b"not allowed")))
    assert (answer.status, answer.body, answer.all(b"content-length")) == (status, b"", [])
    assert peers.believes(answer, nonce)


async def test_messages_may_leave_out_what_has_a_default(peers: Any, send_to: Any) -> None:
    app = Broken({"type": "http.response.start", "status": 202}, {"type": "http.response.body"})
    answer, nonce, _ = await outcome(peers, send_to, app)
    assert (answer.status, answer.body, answer.all(b"content-length")) == (202, b"", [b"0"])
    assert peers.believes(answer, nonce)


async def test_a_connection_that_breaks_while_sending_is_not_answered_twice(peers: Any, send_to: Any) -> None:
    tried: list[str] = []
    headers, _ = peers.sign()

    async def broken_send(message: Any) -> None:
        tried.append(message["type"])
        raise OSError("gone")

    async def over_a_broken_connection(scope: Any, receive: Any, send: Any) -> None:
        await peers.edge(Broken(start(), part(b"x")))(scope, receive, broken_send)

    with pytest.raises(OSError, match="gone"):
        await send_to(over_a_broken_connection, headers=headers)
    assert tried == ["http.response.start"]
