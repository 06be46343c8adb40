"""Finds a request's route once, from its raw path. Every route says who may call it.

A path must match exactly. With an empty segment, a dot segment, another case, an encoded letter or a further slash it
is another path. A path without a route is 404. Nothing is redirected.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, cast
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import request_response
from starlette.types import ASGIApp, Receive, Scope, Send

from shared_service.http.errors import ErrorTable, Refused

PUBLIC: Final = "public"
"""Anybody may call this route."""
SIGNED: Final = "signed"
"""A peer's signature is required."""
OPS: Final = "ops"
"""Served on the operations listener only."""

ELSEWHERE: Final = "elsewhere"
"""The endpoint's name, in metrics and logs, of requests without a route."""

Endpoint = Callable[[Request], Awaitable[Response] | Response]

_PATH: Final = re.compile(r"/|(/[0-9A-Za-z._-]+|/\{[a-z_]+\})+")
_RAW_SEGMENT: Final = re.compile(rb"(?:[!$&-.0-;=@A-Z_a-z~]|%[0-9A-Fa-f]{2})+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DOT_SEGMENTS: Final = (b".", b"..")

ANY_QUERY: Final = None
"""The `query` of routes for probes and scrapers, which may add parameters of their own."""


class Share:
    """A bound on the requests of some routes that may run at once.

    With `is_apart` they take nothing of the capacity: for requests that wait for a peer which calls the service.
    """

    __slots__ = ("is_apart", "most", "taken")

    def __init__(self, most: int, *, is_apart: bool = False) -> None:
        self.most = most
        self.is_apart = is_apart
        self.taken = 0


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """One path with its methods. `endpoint` is an ASGI application.

    `access` says who may call it: `public`, `ops`, or a name for which the service has a guard.
    `yields` routes are refused first when the service is nearly full. `share` bounds how many requests run at once.
    `query` has the names of the query's parameters, or is `ANY_QUERY`.
    `errors` is the table of its refusals, where it is not the service's own.
    With `claims_nonce` the endpoint of a signed route claims the request's nonce itself, with its work.
    """

    path: str
    endpoint: ASGIApp
    access: str
    methods: frozenset[str]
    on_ops: bool = False
    yields: bool = False
    share: Share | None = None
    query: frozenset[str] | None = frozenset()
    claims_nonce: bool = False
    errors: ErrorTable | None = None


def route(
    method: str,
    path: str,
    endpoint: Endpoint | ASGIApp,
    *,
    access: str,
    on_ops: bool = False,
    yields: bool = False,
    share: Share | None = None,
    query: Collection[str] | None = (),
    claims_nonce: bool = False,
    errors: ErrorTable | None = None,
    has_head: bool = True,
) -> Route:
    """A route: `route("POST", "/items/{item_id}", add_item, access="signed")`.

    `endpoint` takes a request and returns a response, or is an ASGI application (an object that is not a function).
    `on_ops` also serves it on the operations listener. Without `has_head` a GET changes something: HEAD is 405.
    """
    if _PATH.fullmatch(path) is None:
        raise ValueError(f"{path} is not a path of plain segments and parameters")
    is_function = inspect.isroutine(endpoint)
    application = cast("ASGIApp", request_response(cast("Any", endpoint)) if is_function else endpoint)
    methods = frozenset({method, "HEAD"} if method == "GET" and has_head else {method})
    known = ANY_QUERY if query is None else frozenset(query)
    return Route(
        path, application, access, methods, on_ops or access == OPS, yields, share, known, claims_nonce, errors
    )


class _Node:
    """A segment of the tree of paths with parameters."""

    __slots__ = ("children", "parameter", "parameter_name", "routes")

    def __init__(self) -> None:
        self.children: dict[bytes, _Node] = {}
        self.parameter: _Node | None = None
        self.parameter_name = ""
        self.routes: dict[str, Route] = {}


class RouteTable:
    """All routes of a service."""

    def __init__(
        self,
        routes: Iterable[Route],
        *,
        accesses: Collection[str] = (),
        errors_below: Mapping[str, ErrorTable] = MappingProxyType({}),
    ) -> None:
        """`errors_below` has the error tables of paths that begin so, also of those without a route.

        Raises ValueError for a route whose access has no guard, and for two routes with one path and method.
        """
        self._without_route = [
            (prefix.encode(), replace(NO_ROUTE, errors=errors)) for prefix, errors in errors_below.items()
        ]
        self.routes: Final = tuple(routes)
        self._exact: dict[bytes, dict[str, Route]] = {}
        self._root = _Node()
        known = {PUBLIC, OPS, *accesses}
        by_path: dict[str, dict[str, Route]] = {}
        for each in self.routes:
            if each.access not in known:
                raise ValueError(f"{each.path}: nobody guards the access {each.access!r}")
            methods = by_path.setdefault(each.path, {})
            for method in each.methods:
                if methods.setdefault(method, each) is not each:
                    raise ValueError(f"{each.path} has two routes for {method}")
        for path, methods in by_path.items():
            self._add(path, methods)

    def _add(self, path: str, methods: dict[str, Route]) -> None:
        first = next(iter(methods.values()))
        if any(each.access != first.access or each.on_ops != first.on_ops for each in methods.values()):
            raise ValueError(f"{path} has methods with different access")
        refusing = Route(path, _MethodNotAllowed(methods), first.access, frozenset(), first.on_ops, query=ANY_QUERY)
        methods[""] = replace(refusing, errors=first.errors)
        if "{" not in path:
            self._exact[path.encode()] = methods
            return
        node = self._root
        for segment in path[1:].split("/"):
            if segment.startswith("{"):
                node.parameter = node.parameter or _Node()
                node.parameter_name = node.parameter_name or segment[1:-1]
                if node.parameter_name != segment[1:-1]:
                    raise ValueError(f"{path} names a parameter unlike another path")
                node = node.parameter
            else:
                node = node.children.setdefault(segment.encode(), _Node())
        node.routes = methods

    def find(self, scope: Scope, *, on_ops: bool) -> Route:
        """Returns the route of a request, or `NO_ROUTE`. Puts the path's parameters into the scope."""
        methods = self._exact.get(scope["raw_path"])
        if methods is None:
            methods, parameters = self._with_parameters(scope["raw_path"])
            if parameters:
                scope["path_params"] = parameters
        if not methods:
            return self._nothing_at(scope["raw_path"])
        found = methods.get(scope["method"]) or methods[""]
        if on_ops != (found.access == OPS) and not (on_ops and found.on_ops):
            return self._nothing_at(scope["raw_path"])
        return found

    def _nothing_at(self, raw_path: bytes) -> Route:
        return next((route for prefix, route in self._without_route if raw_path.startswith(prefix)), NO_ROUTE)

    def _with_parameters(self, raw_path: bytes) -> tuple[dict[str, Route], dict[str, str]]:
        node, parameters = self._root, {}
        for segment in raw_path.split(b"/")[1:]:
            child = node.children.get(segment)
            if child is None:
                value = _decoded(segment)
                if value is None or node.parameter is None:
                    return {}, {}
                parameters[node.parameter_name] = value
                child = node.parameter
            node = child
        return node.routes, parameters


def _decoded(segment: bytes) -> str | None:
    """Decodes a raw segment. Returns None for one that cannot be a parameter's value."""
    if segment in _DOT_SEGMENTS or _RAW_SEGMENT.fullmatch(segment) is None:
        return None
    try:
        value = unquote(segment.decode("ascii"), errors="strict")
    except UnicodeDecodeError:
        return None
    return None if _CONTROL.search(value) else value


class _MethodNotAllowed:
    """Answers a request whose path has a route, but not for its method."""

    def __init__(self, methods: Mapping[str, Route]) -> None:
        self._allow = ", ".join(sorted(method for method in methods if method)).encode()

    async def __call__(self, _scope: Scope, _receive: Receive, _send: Send) -> None:
        raise Refused("method_not_allowed", headers=((b"allow", self._allow),))


async def _not_found(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise Refused("not_found")


NO_ROUTE: Final = Route(ELSEWHERE, _not_found, PUBLIC, frozenset(), on_ops=True, query=ANY_QUERY)
"""Answers requests without a route: 404."""


def route_of(scope: Scope) -> Route:
    """The request's route, found by `FindRoute`."""
    found: Route = scope["state"]["route"]
    return found
