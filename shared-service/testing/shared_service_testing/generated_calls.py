"""Calls that schemathesis generates from a service's OpenAPI document, sent to the application of a test.

The generator is not asynchronous: the application runs in the loop of a thread of its own, a portal's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import hypothesis
import requests
import schemathesis
from anyio.from_thread import BlockingPortal
from hypothesis import HealthCheck, Phase, given, seed
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

EXAMPLES: Final = 60 if os.environ.get("NIGHTLY") else 6
"""Calls of each kind for each operation."""
CHECKS: Final = [status_code_conformance, content_type_conformance, response_schema_conformance]
BASE_URL: Final = "http://service.test"
NEVER: Final = 500


@dataclass
class GeneratedCalls:
    """Sends generated calls with `client`, and collects the answers that the document does not have."""

    portal: BlockingPortal
    client: httpx.AsyncClient
    wrong: list[str] = field(default_factory=list)
    statuses: dict[str, set[int]] = field(default_factory=dict)
    """What each operation answered."""

    def all_operations(self) -> Iterator[Any]:
        """The operations of the document, as the generator knows them."""
        document = self.portal.call(self.client.get, "/openapi.json").json()
        schema = schemathesis.openapi.from_dict(document)
        for each in schema.get_all_operations():
            yield each.ok()

    def run(
        self,
        operation: Any,
        *,
        token: str | None = None,
        client: httpx.AsyncClient | None = None,
        named: Callable[[], Mapping[str, str]] = dict,
        modes: Iterable[GenerationMode] = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE),
    ) -> None:
        """Call an operation with what fits its schema, and with what does not.

        `named` returns parameters of the path that take the place of generated ones.
        """
        for mode in modes:
            strategy = operation.as_strategy(generation_mode=mode)

            @seed(1)
            @hypothesis.settings(
                max_examples=EXAMPLES,
                database=None,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=strategy)
            def call(case: Case) -> None:
                case.path_parameters.update(named())
                self._send(case, client or self.client, token)

            with suppress(hypothesis.errors.Unsatisfiable):  # nothing is wrong with a call without parameters
                call()

    def _send(self, case: Case, client: httpx.AsyncClient, token: str | None) -> None:
        given_ = case.as_transport_kwargs(base_url=BASE_URL)
        prepared = requests.Request(
            **{name: given_[name] for name in ("method", "url", "headers", "params", "json", "data") if name in given_}
        ).prepare()
        headers = dict(prepared.headers)
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
        request = client.build_request(str(prepared.method), str(prepared.url), headers=headers, content=body)
        answer: httpx.Response = self.portal.call(client.send, request)
        place = f"{case.operation.method.upper()} {case.operation.path}"
        self.statuses.setdefault(place, set()).add(answer.status_code)
        try:
            case.validate_response(answer, checks=CHECKS)
        except BaseExceptionGroup as failures:
            self._note(place, answer, request, "; ".join(str(each) for each in failures.exceptions))
        if answer.status_code == NEVER:
            self._note(place, answer, request, "a defect")

    def _note(self, place: str, answer: httpx.Response, request: httpx.Request, why: str) -> None:
        sent = f"{request.url} {request.content[:300]!r}"
        self.wrong.append(f"{place}: {sent}\n  -> {answer.status_code} {answer.text[:300]}\n  {why[:400]}")
