"""Serves the casino's OpenAPI document: the wire, and the operator's platform where it is open."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from casino.api.operations import Operation
from casino.openapi import platform, wire
from shared_service.http.routing import Route
from shared_service.openapi import serving
from shared_service.openapi.document import document, release_of, served, served_places

TITLE: Final = "casino-service"
ABOUT: Final = (
    "The wallet that providers call (signed), the endpoints of players' clients, and the operator's platform at"
    " /api/v1. Rules and examples: docs/protocol.md, docs/platform.md."
)


def document_of(routes: Iterable[Route], operations: Iterable[Operation]) -> dict[str, Any]:
    """The document of what these routes serve. `operations` are the platform's."""
    own, schemas = platform.describe(operations)
    return document(
        served([*wire.OPERATIONS, *own], routes, own=serving.OWN_PATHS),
        title=TITLE, version=release_of(TITLE), description=ABOUT,
        schemas={**wire.schemas(), **schemas}, security_schemes={**wire.SCHEMES, **platform.SCHEMES},
    )  # fmt: skip


def routes(others: Iterable[Route], operations: Iterable[Operation]) -> list[Route]:
    """GET /openapi.json and GET /docs. `others` are the routes that they describe."""
    others, operations = tuple(others), tuple(operations)
    described = {each.place for each in wire.OPERATIONS} | platform.places(operations)
    served_places(described, others, own=serving.OWN_PATHS)
    return serving.routes(lambda: document_of(others, operations))
