"""Admission counts who is under way: it forgets nobody while a request runs, and remembers nobody after its end."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response

from shared_service.http.admission import Admission
from shared_service.http.errors import ErrorKind, ErrorTable
from shared_service.http.routing import SIGNED, Share, route
from shared_signing.asgi import SignedEndpoints
from shared_signing.keys import KeyRing, parse_keys
from shared_signing.nonces import InMemoryNonceStore, NonceStoreOverloaded
from shared_signing.signer import Signer
from shared_signing.verifier import Verifier

ERRORS: Final = ErrorTable([ErrorKind("overloaded", 503, "waits", "Too busy", retry_after_seconds=1)])
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
    """A store that is overloaded, or stands still, for requests that want it so."""

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
    """One edge with its admission, and requests that end in every way."""

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
        place = int(scope["path"] == "/shared")
        self.inside[place] += 1
        try:
            self.require_true_counts()
            await self.behave(scope["way"], receive, send)
        finally:
            self.require_true_counts()
            self.inside[place] -= 1

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


@settings(max_examples=150, deadline=None)
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
