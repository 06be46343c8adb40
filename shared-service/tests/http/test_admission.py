"""Admission: which requests count, which are refused first, and the answer of a refusal."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response
from structlog.testing import capture_logs

from shared_service.http.admission import Admission, early_answer
from shared_service.http.errors import ErrorKind, ErrorTable
from shared_service.http.routing import PUBLIC, SIGNED, Route, RouteTable, Share, route
from shared_signing.asgi import SignedEndpoints
from shared_signing.keys import KeyRing, parse_keys
from shared_signing.nonces import InMemoryNonceStore, NonceStoreOverloaded
from shared_signing.signer import Signer
from shared_signing.verifier import Verifier

ERRORS = ErrorTable([ErrorKind("overloaded", 503, "waits", "Too busy", retry_after_seconds=1)])


async def answer(_request: Request) -> Response:
    return Response()


USUAL = route("POST", "/usual", answer, access=SIGNED)
YIELDING = route("POST", "/yielding", answer, access=SIGNED, yields=True)
SHARED = route("POST", "/shared", answer, access=SIGNED, share=Share(1))
HEALTH = route("GET", "/health", answer, access=PUBLIC)


def scope_of(found: Route) -> dict[str, Any]:
    return {"type": "http", "method": "POST", "raw_path": found.path.encode(), "headers": [], "state": {"route": found}}


def admission(observed: list[tuple[str, str]] | None = None) -> Admission:
    def observe(path: str, code: str, _started: float) -> None:
        if observed is not None:
            observed.append((path, code))

    return Admission(4, errors=ERRORS, observe=observe)


def test_what_yields_is_refused_from_three_quarters_on_and_the_rest_at_the_bound() -> None:
    house = admission()
    for _ in range(3):
        assert house.enter(scope_of(USUAL))
    assert not house.enter(scope_of(YIELDING))
    assert house.enter(scope_of(USUAL))
    assert not house.enter(scope_of(USUAL))
    house.leave(scope_of(USUAL))
    assert house.enter(scope_of(USUAL))


def scope_signed_by(peer: str) -> dict[str, Any]:
    scope = scope_of(USUAL)
    scope["state"]["peer"] = peer
    return scope


def test_one_of_several_peers_has_half_of_the_capacity() -> None:
    """A peer that floods leaves room for the others. The only one there is has everything."""
    several = True
    house = Admission(4, errors=ERRORS, observe=lambda *_: None, has_peers=lambda: several)
    assert [house.enter(scope_signed_by("one")) for _ in range(3)] == [True, True, False]
    assert house.enter(scope_signed_by("other"))
    house.leave(scope_signed_by("one"))
    assert house.enter(scope_signed_by("one"))
    several = False
    assert house.enter(scope_signed_by("one"))


def test_requests_that_wait_for_a_peer_take_no_capacity_from_that_peers_calls() -> None:
    house = admission()
    waiting = route("POST", "/waiting", answer, access=SIGNED, share=Share(2, is_apart=True))
    assert [house.enter(scope_of(waiting)) for _ in range(3)] == [True, True, False]
    assert [house.enter(scope_of(USUAL)) for _ in range(5)] == [True] * 4 + [False]
    house.leave(scope_of(waiting))
    assert house.enter(scope_of(waiting)), "a full service takes them as far as their own bound"
    assert not house.enter(scope_of(USUAL))
    house.leave(scope_of(USUAL))
    assert (house.taken, waiting.share and waiting.share.taken) == (3, 2)


def test_a_share_bounds_its_own_routes_alone() -> None:
    house = admission()
    assert house.enter(scope_of(SHARED))
    assert not house.enter(scope_of(SHARED))
    assert house.enter(scope_of(USUAL))
    house.leave(scope_of(SHARED))
    assert house.enter(scope_of(SHARED))
    house.leave(scope_of(SHARED))


async def test_what_was_refused_is_logged_once_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared_service.http.admission.LOG_SECONDS", 0.0)
    house = admission()
    for _ in range(4):
        house.enter(scope_of(USUAL))
    for _ in range(2):
        with capture_logs() as logged:
            for _ in range(3):
                house.refuse_early(scope_of(USUAL), USUAL)
            await asyncio.sleep(0.01)
        assert logged == [{"event": "requests_shed", "log_level": "warning", "count": 3, "running": 4}]


async def test_an_early_refusal_names_its_request_and_is_observed() -> None:
    observed: list[tuple[str, str]] = []
    house = admission(observed)
    refuse = early_answer(RouteTable([USUAL, HEALTH], accesses=(SIGNED,)), house)
    asked = {**scope_of(USUAL), "headers": [(b"x-request-id", b"mine")]}
    assert refuse(asked) is None
    for _ in range(4):
        house.enter(scope_of(USUAL))
    refused = refuse(asked)
    assert refused is not None
    status, headers, body = refused
    assert (status, json.loads(body)["requestId"], json.loads(body)["code"]) == (503, "mine", "overloaded")
    assert (b"x-request-id", b"mine") in headers
    assert (b"retry-after", b"1") in headers
    assert observed == [("/usual", "overloaded")]
    assert refuse({**asked, "raw_path": b"/health"}) is None
    assert refuse({**asked, "raw_path": b"/nowhere"}) is None


REQUESTS_MAX: Final = 8
RING: Final = KeyRing(parse_keys("a secret of both sides, long enough", None))
HEADER: Final = "x-signature"

IN_THE_APPLICATION: Final = (
    "answers",
    "answers twice",
    "raises",
    "raises after its answer",
    "hears that its caller left",
)
LEAVING: Final = ("is cancelled in the application", "is cancelled at its nonce", "loses its caller at the answer")
REFUSED: Final = ("replays a nonce", "finds no nonce store", "is unsigned", "is signed by a stranger", "never ends")


async def never(_request: Request) -> Response:
    return Response()


class Nonces(InMemoryNonceStore):
    """A store that is overloaded, or waits for ever, for chosen requests."""

    def __init__(self) -> None:
        super().__init__()
        self.ways: dict[str, str] = {}

    async def claim(self, key_id: str, nonce: str, timestamp: int) -> bool:
        if self.ways[nonce] == "finds no nonce store":
            raise NonceStoreOverloaded
        if self.ways[nonce] == "is cancelled at its nonce":
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        return await super().claim(key_id, nonce, timestamp)


class Trial:
    """The signing middleware with its admission, and requests that end in every way."""

    def __init__(self) -> None:
        self.admission = Admission(REQUESTS_MAX, errors=ERRORS, observe=lambda *_: None)
        self.share = Share(REQUESTS_MAX // 2)
        self.routes = [
            route("POST", "/usual", never, access=SIGNED),
            route("POST", "/shared", never, access=SIGNED, share=self.share),
        ]
        self.nonces = Nonces()
        self.inside = [0, 0]
        self.edge = SignedEndpoints(
            self.application,
            header_name=HEADER,
            verifier=Verifier(RING, self.nonces),
            signer=Signer(RING),
            refuse=lambda _scope, code, _extras: (503, [], code.encode()),
            enter=self.admission.enter,
            leave=self.admission.leave,
        )

    def require_true_counts(self) -> None:
        assert self.admission.taken >= sum(self.inside)
        assert self.share.taken >= self.inside[1]
        assert 0 <= self.admission.taken <= REQUESTS_MAX

    async def application(self, scope: Any, receive: Any, send: Any) -> None:
        index = int(scope["path"] == "/shared")
        self.inside[index] += 1
        try:
            self.require_true_counts()
            await self.behave(scope["way"], receive, send)
        finally:
            self.require_true_counts()
            self.inside[index] -= 1

    async def behave(self, way: str, receive: Any, send: Any) -> None:
        await asyncio.sleep(0)
        if way == "raises":
            raise RuntimeError(way)
        if way == "is cancelled in the application":
            await asyncio.Event().wait()
        if way == "hears that its caller left":
            await receive()
            assert (await receive())["type"] == "http.disconnect"
            return
        for _ in range(2 if way == "answers twice" else 1):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"{}"})
        if way == "raises after its answer":
            raise RuntimeError(way)

    async def request(self, way: str, *, shared: bool) -> None:
        path = "/shared" if shared else "/usual"
        ring = (
            KeyRing(parse_keys("a secret of somebody else entirely", None))
            if way == "is signed by a stranger"
            else RING
        )
        signed = Signer(ring).sign_request("POST", path, b"")
        headers = [] if way == "is unsigned" else [(HEADER.encode(), signed.header.encode())]
        self.nonces.ways[signed.nonce] = way
        if way == "replays a nonce":
            await self.send_in(path, "answers", headers)
        await self.send_in(path, way, headers)

    async def send_in(self, path: str, way: str, headers: list[tuple[bytes, bytes]]) -> None:
        messages = [{"type": "http.request", "body": b"", "more_body": False}, {"type": "http.disconnect"}]
        if way == "never ends":
            messages = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]

        async def receive() -> Any:
            await asyncio.sleep(0)
            return messages.pop(0)

        async def send(_message: Any) -> None:
            await asyncio.sleep(0)
            if way == "loses its caller at the answer":
                raise OSError(way)

        scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
                 "headers": headers, "way": way, "state": {"route": self.routes[path == "/shared"]}}  # fmt: skip
        await self.edge(scope, receive, send)


ways = st.lists(
    st.tuples(st.sampled_from((*IN_THE_APPLICATION, *LEAVING, *REFUSED)), st.booleans()), min_size=1, max_size=25
)


@given(ways)
async def test_after_any_mixture_of_ends_nobody_is_counted(requests: list[tuple[str, bool]]) -> None:
    trial = Trial()
    tasks = [asyncio.create_task(trial.request(way, shared=shared)) for way, shared in requests]
    for _ in range(40):
        await asyncio.sleep(0)
    for task, (way, _) in zip(tasks, requests, strict=True):
        if "cancelled" in way:
            task.cancel()
    await asyncio.wait(tasks, timeout=60)
    assert all(task.done() for task in tasks)
    broken = [task.exception() for task in tasks if not task.cancelled() and task.exception()]
    assert not [error for error in broken if isinstance(error, AssertionError)]
    assert (trial.admission.taken, trial.share.taken, trial.inside) == (0, 0, [0, 0])
