"""Builds an OpenAPI 3.1 document from the operations that a service serves."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from shared_service.http.errors import ErrorKind
from shared_service.http.routing import OPS, Route

NOT_INSTALLED: Final = "from source"
"""The version of a service that runs from its source folder, as `make serve` does."""
Schema = Mapping[str, Any]
Place = tuple[str, str]
"""A method and a path."""
JSON_TYPE: Final = "application/json"
REFUSED_FROM: Final = 400
_PARAMETER: Final = re.compile(r"\{([a-z_]+)\}")


def release_of(package: str) -> str:
    """Returns the version of an installed package, or `NOT_INSTALLED`."""
    try:
        return version(package)
    except PackageNotFoundError:
        return NOT_INSTALLED


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path, as the document describes it."""

    method: str
    path: str
    summary: str
    tag: str
    description: str = ""
    parameters: Sequence[Mapping[str, Any]] = ()
    """Of the query and the headers, as OpenAPI writes them. Those of the path are added."""
    body: Schema | None = None
    is_body_required: bool = True
    answers: Mapping[int, Mapping[str, Schema]] = field(default_factory=dict)
    """The successes: by status, the schema of each media type."""
    refusals: Collection[ErrorKind] = ()
    passes_on: Collection[int] = ()
    """Statuses of refusals that a peer gave, with codes of its own."""
    refusal: str = "Refusal"
    """The component that a refusal has the shape of."""
    security: Sequence[Mapping[str, Sequence[str]]] = ()
    """One of them is enough. None: anybody may call."""
    extras: Mapping[str, Any] = field(default_factory=dict)

    @property
    def place(self) -> Place:
        """Method and path."""
        return self.method, self.path


def reference(name: str) -> dict[str, str]:
    """A reference to a schema of the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def query_parameter(name: str, schema: Schema, *, is_required: bool = False) -> dict[str, Any]:
    """A parameter of the query."""
    return {"name": name, "in": "query", "required": is_required, "schema": dict(schema)}


def header_parameter(name: str, schema: Schema, *, is_required: bool = False) -> dict[str, Any]:
    """A header of the request."""
    return {"name": name, "in": "header", "required": is_required, "schema": dict(schema)}


def served(operations: Iterable[Operation], routes: Iterable[Route], *, own: Collection[str]) -> list[Operation]:
    """The operations that have a route. Raises ValueError as `served_places` does."""
    by_place = {each.place: each for each in operations}
    return [by_place[place] for place in served_places(by_place, routes, own=own)]


def served_places(described: Collection[Place], routes: Iterable[Route], *, own: Collection[str]) -> list[Place]:
    """Method and path of each public route. Raises ValueError for one that no operation describes.

    `own` are the paths of the document itself.
    """
    found = []
    for each in routes:
        if each.access == OPS or each.path in own:
            continue
        for method in sorted(each.methods - {"HEAD"}):
            if (method, each.path) not in described:
                raise ValueError(f"{method} {each.path} is in no description: OpenAPI would not have it")
            found.append((method, each.path))
    return found


def document(
    operations: Iterable[Operation],
    *,
    title: str,
    version: str,
    description: str,
    schemas: Mapping[str, Schema],
    security_schemes: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """The document."""
    paths: dict[str, dict[str, Any]] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "description": description},
        "paths": paths,
        "components": {"schemas": dict(schemas), "securitySchemes": dict(security_schemes)},
    }


def _operation(operation: Operation) -> dict[str, Any]:
    path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in _PARAMETER.findall(operation.path)
    ]
    written: dict[str, Any] = {
        "operationId": _operation_id(operation),
        "summary": operation.summary,
        "tags": [operation.tag],
        "security": [{name: list(roles) for name, roles in each.items()} for each in operation.security],
        "responses": {str(status): content for status, content in sorted(_responses(operation).items())},
        **operation.extras,
    }
    if operation.description:
        written["description"] = operation.description
    if path or operation.parameters:
        written["parameters"] = [*path, *(dict(each) for each in operation.parameters)]
    if operation.body is not None:
        written["requestBody"] = {
            "required": operation.is_body_required,
            "content": {JSON_TYPE: {"schema": dict(operation.body)}},
        }
    return written


def _operation_id(operation: Operation) -> str:
    words = re.findall(r"[0-9A-Za-z]+", operation.path.removeprefix("/api/v1"))
    return "_".join((operation.method.lower(), *words))


def _responses(operation: Operation) -> dict[int, dict[str, Any]]:
    responses: dict[int, dict[str, Any]] = {
        status: {
            "description": "Success",
            "content": {media: {"schema": dict(schema)} for media, schema in contents.items()},
        }
        for status, contents in operation.answers.items()
    }
    by_status: dict[int, dict[str, ErrorKind]] = {}
    for status in operation.passes_on:
        responses[status] = {
            "description": "A refusal of the peer, passed on",
            "content": {JSON_TYPE: {"schema": reference(operation.refusal)}},
        }
    for kind in operation.refusals:
        by_status.setdefault(kind.status, {})[kind.code] = kind
    for status, kinds in by_status.items():
        schema: dict[str, Any] = reference(operation.refusal)
        if status not in operation.passes_on:
            schema = {**schema, "properties": {"code": {"enum": sorted(kinds)}}}
        refused: dict[str, Any] = {
            "description": "\n".join(f"{code}: {kinds[code].sentence.rstrip('.')}." for code in sorted(kinds)),
            "content": {JSON_TYPE: {"schema": schema}},
        }
        if any(each.retry_after_seconds is not None for each in kinds.values()):
            refused["headers"] = {"retry-after": {"schema": {"type": "integer"}, "description": "Seconds to wait"}}
        responses[status] = refused
    return responses
