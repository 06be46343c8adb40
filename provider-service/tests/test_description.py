"""The provider's OpenAPI document: every route, valid, and kept to by every answer to a generated call."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import httpx
import jsonschema_rs
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from provider_testing.fake_wallet import FakeWallet
from provider_testing.service import serving
from shared_service.http.routing import OPS
from shared_service.openapi.serving import OWN_PATHS
from shared_service_testing.generated_calls import GeneratedCalls


@pytest.fixture
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal() as portal:
        yield portal


async def test_it_has_every_route_and_nothing_else(database_url: str, wallet: FakeWallet) -> None:
    for is_demo in (True, False):
        changed = {} if is_demo else {"demo": False, "sealing_key": "0123456789abcdef" * 4}
        async with serving(database_url, wallet, **changed) as running:
            anybody = httpx.AsyncClient(transport=httpx.ASGITransport(running.app), base_url="http://p")
            document = (await anybody.get("/openapi.json")).json()
            page = await anybody.get("/docs")
            await anybody.aclose()
        routes = {
            (method.lower(), each.path)
            for each in running.app.state.table.routes
            if each.access != OPS and each.path not in OWN_PATHS
            for method in each.methods - {"HEAD"}
        }
        assert {(method, path) for path, methods in document["paths"].items() for method in methods} == routes
        assert ("/provider/simulate" in document["paths"]) is is_demo
        assert "<script" not in page.text
        components = document["components"]["schemas"]
        used = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document["paths"])))
        assert used <= set(components)
        for schema in components.values():
            jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Do not use the `random` module")
def test_answers_to_generated_calls(portal: BlockingPortal, database_url: str, wallet: FakeWallet) -> None:
    with portal.wrap_async_context_manager(serving(database_url, wallet)) as running:
        portal.call(running.ready)
        calls = GeneratedCalls(portal=portal, client=running.client)
        unsigned = httpx.AsyncClient(transport=httpx.ASGITransport(running.app), base_url="http://p")
        for operation in calls.all_operations():
            calls.run(operation)
            calls.run(operation, client=unsigned)
        portal.call(unsigned.aclose)
    assert not calls.wrong, "\n\n".join(calls.wrong)
