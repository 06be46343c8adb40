"""Admission: who takes a place, who is refused first, and what a refusal says."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from structlog.testing import capture_logs

from shared_service.http.admission import Admission, early_answer
from shared_service.http.errors import ErrorKind, ErrorTable
from shared_service.http.routing import PUBLIC, SIGNED, Route, RouteTable, Share, route

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


def test_a_share_bounds_its_own_routes_alone() -> None:
    house = admission()
    assert house.enter(scope_of(SHARED))
    assert not house.enter(scope_of(SHARED))
    assert house.enter(scope_of(USUAL))
    house.leave(scope_of(SHARED))
    assert house.enter(scope_of(SHARED))
    house.leave(scope_of(SHARED))


async def test_what_was_refused_is_logged_once_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared_service.http.admission.SAY_SECONDS", 0.0)
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
