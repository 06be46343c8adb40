"""The guard of the players' clients gives every place back, whatever ends a request."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from casino.client.access_token import AccessToken
from casino.client.guard import PLAYER, PlayerGuard
from casino.errors import ERRORS, Refused
from shared_service.http.admission import Admission
from shared_service.http.routing import Share, route

REQUESTS_MAX = 4
SCOPE = {"type": "http", "method": "POST", "raw_path": b"/play", "headers": [(b"content-type", b"application/json")]}


def token_of_one(_authorization: str | None) -> AccessToken:
    return AccessToken("1", 0, 2**40, "token")


async def play(_request: Request) -> Response:
    return Response()


@pytest.mark.parametrize("end", ["answers", "raises", "is cancelled", "hears that its caller left"])
async def test_a_request_is_counted_until_its_end_and_no_longer(end: str) -> None:
    admission = Admission(REQUESTS_MAX, errors=ERRORS, observe=lambda *_: None)
    share = Share(REQUESTS_MAX)
    playing = route("POST", "/play", play, access=PLAYER, share=share)
    counted: list[tuple[int, int, int]] = []
    inside = asyncio.Event()

    async def application(_scope: Any, receive: Any, _send: Any) -> None:
        counted.append((admission.taken, share.taken, guard._running["1"]))
        inside.set()
        if end == "raises":
            raise RuntimeError(end)
        if end == "is cancelled":
            await asyncio.Event().wait()
        if end == "hears that its caller left":
            assert (await receive())["type"] == "http.disconnect"

    guard = PlayerGuard(application, admission=admission, read_token=token_of_one, calls_at_once_max=REQUESTS_MAX)

    async def ask() -> None:
        messages = [{"type": "http.request", "body": b"{}", "more_body": False}, {"type": "http.disconnect"}]

        async def receive() -> Any:
            return messages.pop(0)

        await guard({**SCOPE, "state": {"route": playing}}, receive, receive)

    for _ in range(2 * REQUESTS_MAX):  # a place that was lost each time would be missed by now
        inside.clear()
        asked = asyncio.create_task(ask())
        if end == "is cancelled":
            async with asyncio.timeout(60):
                await inside.wait()
            asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
    assert counted == [(1, 1, 1)] * 2 * REQUESTS_MAX
    assert (admission.taken, share.taken, dict(guard._running)) == (0, 0, {})


async def test_a_request_without_a_place_takes_none() -> None:
    admission = Admission(0, errors=ERRORS, observe=lambda *_: None)
    playing = route("POST", "/play", play, access=PLAYER)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    with pytest.raises(Refused, match="overloaded"):
        await PlayerGuard(receive, admission=admission, read_token=None, calls_at_once_max=1)(  # type: ignore[arg-type]
            {**SCOPE, "state": {"route": playing}},
            receive,
            receive,  # type: ignore[arg-type]
        )
    assert admission.taken == 0
