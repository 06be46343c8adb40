"""The casino's OpenAPI document, and its page: complete, valid, kept by clients, and loading nothing from elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from casino.api.errors import API_ERRORS
from casino.openapi.serving import document_of
from casino.pages.serving import ACCESSES as PAGES
from casino_testing.edge import Service, serving
from casino_testing.tenant import Tenant
from shared_service.http.routing import OPS, PUBLIC, route
from shared_service.openapi.serving import OWN_PATHS

PLATFORM = "/api/v1/"
ASSETS = "/assets/"


async def fetch(service: Service) -> dict[str, Any]:
    answer = await service.anybody.get("/openapi.json")
    assert answer.status_code == 200
    return dict(answer.json())


def schemas_in(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "schema":
                yield inner
            yield from schemas_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from schemas_in(inner)


async def test_it_has_every_route_and_nothing_else(service: Service) -> None:
    document = await fetch(service)
    routes = {
        (method.lower(), each.path)
        for each in service.app.state.table.routes
        if each.access not in (OPS, *PAGES) and each.path not in OWN_PATHS and not each.path.startswith(ASSETS)
        for method in each.methods - {"HEAD"}
    }
    assert {(method, path) for path, methods in document["paths"].items() for method in methods} == routes
    with pytest.raises(ValueError, match="GET /forgotten"):
        document_of([route("GET", "/forgotten", lambda _: None, access=PUBLIC)], ())  # type: ignore[arg-type, return-value]


async def test_its_schemas_are_valid_and_its_references_lead_somewhere(service: Service) -> None:
    document = await fetch(service)
    assert document["openapi"] == "3.1.0"
    components = document["components"]["schemas"]
    used = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert used == set(components)
    for schema in [*components.values(), *schemas_in(document["paths"])]:
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
    ids = [each["operationId"] for methods in document["paths"].values() for each in methods.values()]
    assert len(ids) == len(set(ids))
    for methods in document["paths"].values():
        for operation in methods.values():
            names = {name for each in operation["security"] for name in each}
            assert names <= set(document["components"]["securitySchemes"])
            assert re.match(r"[A-Z]", operation["summary"]), operation["summary"]


async def test_every_code_of_the_platform_is_an_answer_of_some_operation(service: Service) -> None:
    text = json.dumps(
        {path: each for path, each in (await fetch(service))["paths"].items() if path.startswith(PLATFORM)}
    )
    unused = {each.code for each in API_ERRORS.values() if f'"{each.code}"' not in text}
    # METHOD_NOT_ALLOWED is the answer where there is no operation.
    assert unused <= {"METHOD_NOT_ALLOWED"}


async def test_what_is_closed_is_not_in_it(tenant: Tenant) -> None:
    secrets = {"pepper": "", "access_token_keys": ()}
    async with serving(tenant, **secrets) as service:
        paths = (await fetch(service))["paths"]
    assert not [path for path in paths if path.startswith(PLATFORM)]
    assert "/casino/debit" in paths


async def test_clients_keep_it_and_ask_whether_it_changed(service: Service) -> None:
    for path in OWN_PATHS:
        answer = await service.anybody.get(path)
        assert answer.headers["cache-control"] == "public, max-age=300"
        again = await service.anybody.get(path, headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert (await service.anybody.head(path)).status_code == 200


async def test_the_page_works_without_scripts_and_without_a_network(service: Service) -> None:
    answer = await service.anybody.get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    page = answer.text
    assert "<script" not in page
    assert "<link" not in page
    assert not re.findall(r'(?:src|href)="(?!#|/openapi\.json)', page)
    for path in (await fetch(service))["paths"]:
        assert path in page
    targets = set(re.findall(r' id="([^"]+)"', page))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= targets
