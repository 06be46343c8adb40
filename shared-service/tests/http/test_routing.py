"""Routes are found by their exact raw path, and each says who may call it."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response

from shared_service.http.dispatch import Dispatch
from shared_service.http.errors import Refused
from shared_service.http.routing import ANY_QUERY, ELSEWHERE, NO_ROUTE, OPS, PUBLIC, SIGNED, Route, RouteTable, route


async def answer(_request: Request) -> Response:
    return Response()


def table(*routes: Route) -> RouteTable:
    return RouteTable(routes, accesses=(SIGNED,))


ITEMS = table(
    route("GET", "/items", answer, access=PUBLIC),
    route("POST", "/items", answer, access=PUBLIC),
    route("GET", "/items/{item_id}", answer, access=SIGNED),
    route("POST", "/items/{item_id}/close", answer, access=SIGNED),
    route("GET", "/items/newest", answer, access=PUBLIC),
    route("GET", "/metrics", answer, access=OPS),
    route("GET", "/health", answer, access=PUBLIC, on_ops=True),
)


def find(raw_path: bytes, method: str = "GET", *, on_ops: bool = False) -> tuple[Route, dict[str, Any]]:
    scope = {"type": "http", "method": method, "raw_path": raw_path}
    found = ITEMS.find(scope, on_ops=on_ops)
    return found, scope.get("path_params", {})  # type: ignore[return-value]


def test_a_route_without_an_access_that_somebody_guards_cannot_be_built() -> None:
    with pytest.raises(TypeError):
        route("GET", "/items", answer)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="staff"):
        table(route("GET", "/items", answer, access="staff"))


@pytest.mark.parametrize(
    "paths",
    [
        [("GET", "/items", PUBLIC), ("GET", "/items", PUBLIC)],
        [("GET", "/items", PUBLIC), ("POST", "/items", SIGNED)],
        [("GET", "/items/{one}", PUBLIC), ("GET", "/items/{other}/x", PUBLIC)],
    ],
)
def test_routes_that_contradict_each_other_cannot_be_built(paths: list[tuple[str, str, str]]) -> None:
    with pytest.raises(ValueError, match="/items"):
        table(*(route(method, path, answer, access=access) for method, path, access in paths))


@pytest.mark.parametrize(
    "path", ["", "items", "//", "/items/", "//items", "/items//x", "/{Id}", "/a b", "/a%20b", "/x?y"]
)
def test_a_path_is_made_of_plain_segments_and_parameters(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        route("GET", path, answer, access=PUBLIC)


def test_the_first_page_has_a_path_of_its_own() -> None:
    first = table(route("GET", "/", answer, access=PUBLIC), route("GET", "/{item}", answer, access=PUBLIC))
    found = {
        path: first.find({"type": "http", "method": "GET", "raw_path": path}, on_ops=False).path
        for path in (b"/", b"//", b"", b"/.", b"/%2F")
    }
    assert found == {b"/": "/", b"//": ELSEWHERE, b"": ELSEWHERE, b"/.": ELSEWHERE, b"/%2F": "/{item}"}
    assert find(b"/")[0] is NO_ROUTE


def test_methods_and_parameters_are_found() -> None:
    assert find(b"/items")[0].methods == {"GET", "HEAD"}
    assert find(b"/items", "POST")[0].methods == {"POST"}
    assert find(b"/items/newest")[0].path == "/items/newest"
    assert find(b"/items/7") == (ITEMS.routes[2], {"item_id": "7"})
    assert find(b"/items/7/close", "POST") == (ITEMS.routes[3], {"item_id": "7"})
    assert find(b"/items/7/open", "POST")[0] is NO_ROUTE
    assert find(b"/items/7/close/x", "POST")[0] is NO_ROUTE


def test_another_method_finds_a_refusal_behind_the_same_guard() -> None:
    found = find(b"/items/7", "DELETE")[0]
    assert (found.path, found.access, found.methods) == ("/items/{item_id}", SIGNED, frozenset())


def test_each_listener_serves_its_own_routes() -> None:
    assert find(b"/metrics", on_ops=True)[0].path == "/metrics"
    assert find(b"/metrics")[0] is NO_ROUTE
    assert find(b"/health")[0] is find(b"/health", on_ops=True)[0]
    assert find(b"/items", on_ops=True)[0] is NO_ROUTE
    assert find(b"/items/7", "DELETE", on_ops=True)[0] is NO_ROUTE


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc",)), min_size=1, max_size=20))
def test_an_encoded_segment_is_data(item_id: str) -> None:
    encoded = quote(item_id, safe="").replace(".", "%2E").encode()
    assert find(b"/items/" + encoded) == (
        (ITEMS.routes[4], {}) if item_id == "newest" else (ITEMS.routes[2], {"item_id": item_id})
    )


@pytest.mark.parametrize("segment", [b"", b".", b"..", b"%0A", b"a%00", b"%7f", b"%c2%85", b"%FF", b"%", b"%4", b"%gg"])
def test_a_segment_that_no_parameter_takes_is_nowhere(segment: bytes) -> None:
    assert find(b"/items/" + segment)[0] is NO_ROUTE


@given(st.binary(min_size=1, max_size=3), st.integers(0, 6))
def test_no_other_spelling_of_a_path_finds_its_route(inserted: bytes, at: int) -> None:
    path = b"/items"
    for spelling in (path[:at] + inserted + path[at:], path[:at] + quote(path[at:], safe="").encode(), path.upper()):
        found = find(spelling)[0]
        assert found is NO_ROUTE or spelling == path or (spelling.startswith(b"/items/") and found is not find(path)[0])


def test_every_letter_encoded_or_in_another_case_is_another_path() -> None:
    path = b"/items"
    for at in range(len(path)):
        encoded = b"%%%02x" % path[at]
        for other in (encoded, encoded.upper(), path[at : at + 1].upper()):
            spelling = path[:at] + other + path[at + 1 :]
            assert find(spelling)[0] is NO_ROUTE or spelling == path
    assert all(find(path + bytes([byte]))[0] is NO_ROUTE for byte in range(256))


async def dispatch(to: Route, query_string: bytes) -> int:
    """Returns the status of the endpoint's answer."""
    statuses: list[int] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "POST", "headers": [], "query_string": query_string, "state": {"route": to}}
    await Dispatch(to.endpoint)(scope, receive, send)
    return statuses[0]


NO_QUERY = route("POST", "/items", answer, access=PUBLIC)
ONE_PARAMETER = route("POST", "/items", answer, access=PUBLIC, query=("page",))
PROBED = route("POST", "/items", answer, access=PUBLIC, query=ANY_QUERY)


@pytest.mark.parametrize(
    ("to", "query_string"),
    [
        *((NO_QUERY, query) for query in (b"", b"&")), *((ONE_PARAMETER, query) for query in (b"", b"page=1", b"page")),
        *((PROBED, query) for query in (b"", b"x=1", b"x=1&x=2")),
    ],
)  # fmt: skip
async def test_parameters_of_the_route_reach_its_endpoint(to: Route, query_string: bytes) -> None:
    assert await dispatch(to, query_string) == 200


@pytest.mark.parametrize(
    ("to", "query_string", "field"),
    [
        (NO_QUERY, b"x=1", "x"), (NO_QUERY, b"x", "x"), (NO_QUERY, b"=1", ""), (NO_QUERY, b"a%20b=", "a b"),
        (NO_QUERY, b"x" * 65, "x" * 64), (ONE_PARAMETER, b"Page=1", "Page"), (ONE_PARAMETER, b"page=1&x=1", "x"),
        (ONE_PARAMETER, b"page=1&page=1", "page"),
    ],
)  # fmt: skip
async def test_another_or_a_repeated_parameter_is_refused_by_name(to: Route, query_string: bytes, field: str) -> None:
    with pytest.raises(Refused) as refused:
        await dispatch(to, query_string)
    assert (refused.value.code, refused.value.field) == ("invalid_field", field)
