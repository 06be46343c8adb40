"""Serves a service's OpenAPI document and its page, from memory. Both are made at the first request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from hashlib import sha256
from typing import Any, Final

import msgspec
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from shared_service.http.routing import PUBLIC, Route, route
from shared_service.openapi.page import render

DOCUMENT_PATH: Final = "/openapi.json"
PAGE_PATH: Final = "/docs"
OWN_PATHS: Final = frozenset({DOCUMENT_PATH, PAGE_PATH})
KEPT_SECONDS: Final = 300
"""How long a client or a proxy may keep an answer."""
# The page has no script and loads nothing.
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"


def routes(document: Callable[[], Mapping[str, Any]]) -> list[Route]:
    """GET /openapi.json and GET /docs of what `document` returns."""
    return [
        _kept(DOCUMENT_PATH, lambda: msgspec.json.encode(document()), "application/json", {}),
        _kept(PAGE_PATH, lambda: render(document()).encode(), "text/html", {"content-security-policy": POLICY}),
    ]


def _kept(path: str, make: Callable[[], bytes], media_type: str, more: Mapping[str, str]) -> Route:
    made = cache(make)

    async def get(request: Request) -> Response:
        body = await to_thread.run_sync(made)  # it takes a tenth of a second
        headers = {
            "cache-control": f"public, max-age={KEPT_SECONDS}", "etag": f'"{sha256(body).hexdigest()[:32]}"',
            "x-content-type-options": "nosniff", **more,
        }  # fmt: skip
        if headers["etag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type=media_type)

    return route("GET", path, get, access=PUBLIC)
