"""Holds each answer of the platform in a test against what OpenAPI says of its operation."""

from __future__ import annotations

import re
from collections.abc import Iterable

import httpx

from casino.api.frame import BASE
from casino.api.operations import Operation
from casino.openapi.platform import refusals_of

_PARAMETER = re.compile(r"\{[a-z_]+\}")


def require_documented(operations: Iterable[Operation], method: str, path: str, answer: httpx.Response) -> None:
    """Fails for a status or a code that the document does not have."""
    found = _found(operations, method, path.partition("?")[0])
    if found is None:
        return
    if answer.status_code < 400:
        assert answer.status_code in (found.status, *found.other_statuses), f"{method} {path}: {answer.status_code}"
        return
    code = answer.json()["code"]
    documented = {(each.status, each.code) for each in refusals_of(found)}
    assert (answer.status_code, code) in documented, f"{method} {found.path} does not say that it answers {code}"


def _found(operations: Iterable[Operation], method: str, path: str) -> Operation | None:
    matching = [
        each
        for each in operations
        if each.method == method and re.fullmatch(_PARAMETER.sub("[^/]+", BASE + each.path), path)
    ]
    # A path of plain segments comes before one with parameters.
    return min(matching, key=lambda each: each.path.count("{"), default=None)
