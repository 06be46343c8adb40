"""Serves a service's OpenAPI document and its page, from memory."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

import msgspec
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


def routes(document: Mapping[str, Any]) -> list[Route]:
    """GET /openapi.json and GET /docs."""
    body = msgspec.json.encode(document)
    return [
        _kept(DOCUMENT_PATH, body, "application/json", {}),
        _kept(PAGE_PATH, _page_of(body), "text/html", {"content-security-policy": POLICY}),
    ]


@lru_cache(maxsize=1)
def _page_of(body: bytes) -> bytes:
    """The page of an encoded document. Kept for tests, which build the application often."""
    return render(msgspec.json.decode(body)).encode()


def _kept(path: str, body: bytes, media_type: str, more: Mapping[str, str]) -> Route:
    headers = {
        "cache-control": f"public, max-age={KEPT_SECONDS}", "etag": f'"{sha256(body).hexdigest()[:32]}"',
        "x-content-type-options": "nosniff", **more,
    }  # fmt: skip

    async def get(request: Request) -> Response:
        if headers["etag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type=media_type)

    return route("GET", path, get, access=PUBLIC)
