"""What the frame knows of one route: everything that a request goes through, and that OpenAPI says of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from starlette.responses import Response

from casino.api import permissions
from casino.api.call import Call
from casino.api.errors import API_ERRORS
from casino.api.guards import ANYONE
from casino.api.guards import STAFF as STAFF_ACCESS
from casino.api.types import Answer, Body
from shared_service.http.routing import Share

Handler = Callable[[Call, Any], Awaitable[Answer | Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path, with everything that OpenAPI says of it."""

    method: str
    path: str
    handler: Handler
    body: type[Body]
    """The type of the body, or of the query of a GET."""
    answer: type[Answer] | None
    """None: the answer is no JSON."""
    access: str
    permission: str | None
    only_owners: bool
    """Whether the role must be owner, besides the permission."""
    status: int
    other_statuses: tuple[int, ...]
    """202 where the thing may wait, 200 where it may be there already."""
    headers: tuple[str, ...]
    """Headers of the request that the route heeds, besides those of every route."""
    media_types: tuple[str, ...]
    """Of answers that are no JSON."""
    codes: tuple[str, ...]
    """The section's own codes, besides those that every route has."""
    field_codes: Mapping[str, str]
    """The code for a wrong value, by the field's name on the wire. INVALID_FIELD for all others."""
    finds: str | None
    """A query that finds the thing of the path in the caller's view; without a row: 404."""
    in_transaction: bool
    prepare: Callable[[Call, Any], Awaitable[Any]] | None
    """What takes long, such as a password's hash, and is awaited with the call and its body while the request holds no
    connection. The handler finds its result in `call.prepared`. A repeated request is not prepared again."""
    has_effect: bool
    """Whether a GET changes something, so that there is no HEAD of it and staff's calls are in the audit trail."""
    keeps_answers: bool
    """Whether an idempotency key is heeded. A route that anyone calls keeps its answers itself."""

    @property
    def only_reads(self) -> bool:
        """Whether it is a GET: with a query in the place of a body."""
        return self.method == "GET"


def operation_of(
    method: str,
    path: str,
    handler: Handler,
    kind: type[Body],
    *,
    answer: type[Answer] | None = None,
    access: str = STAFF_ACCESS,
    permission: str | None = None,
    only_owners: bool = False,
    status: int = 200,
    other_statuses: Collection[int] = (),
    headers: Collection[str] = (),
    media_types: Collection[str] = (),
    codes: Collection[str] = (),
    field_codes: Mapping[str, str] = MappingProxyType({}),
    finds: str | None = None,
    in_transaction: bool = True,
    prepare: Callable[[Call, Any], Awaitable[Any]] | None = None,
    has_effect: bool = False,
    keeps_answers: bool = True,
    share: Share | None,
) -> Operation:
    """Raises ValueError for a code without a row, and for a route of staff that names no permission."""
    del share
    for code in (*codes, *field_codes.values()):
        if code not in API_ERRORS:
            raise ValueError(f"{path}: the code {code} has no row")
    if permission is not None and (permission not in permissions.PERMISSIONS or access != STAFF_ACCESS):
        raise ValueError(f"{path}: there is no permission {permission}")
    if access == STAFF_ACCESS and permission is None and not path.startswith("/staff/"):
        raise ValueError(f"{path}: a route for staff names its permission")
    return Operation(
        method=method, path=path, handler=handler, body=kind, answer=answer, access=access, permission=permission,
        only_owners=only_owners,
        status=status, other_statuses=tuple(other_statuses), headers=tuple(headers), media_types=tuple(media_types),
        codes=tuple(codes), field_codes=field_codes, finds=finds, in_transaction=in_transaction, prepare=prepare,
        has_effect=has_effect or method != "GET",
        keeps_answers=keeps_answers and in_transaction and method == "POST" and access != ANYONE,
    )  # fmt: skip
