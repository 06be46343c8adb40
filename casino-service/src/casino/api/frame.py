"""The frame of `/api/v1`: makes a route of a handler, its types and the permission that it asks for.

    frame.post("/admin/tenants/{tenant_id}/fund", fund, body=FundBody, answer=Funded, permission="tenants.manage",
               finds=FINDS_TENANT, codes=("INSUFFICIENT_FUNDS",))

The order of what happens to a request: who calls (the guard of its access), the permission, the transaction, the thing
that the path names (404), the body or the query (400), the idempotency key, the handler, the audit trail, the commit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from psycopg import Rollback
from psycopg.errors import DeadlockDetected, LockNotAvailable, QueryCanceled
from starlette.requests import Request
from starlette.responses import Response

from casino.api import cursors, permissions, reading
from casino.api.call import API_KEY, STAFF, Call, Caller, Pools
from casino.api.errors import API_ERRORS, Refused
from casino.api.guards import ANYONE, PLAYER, WITHOUT_ENROLMENT
from casino.api.kept_answers import Kept, KeptAnswers
from casino.api.operations import Handler, Operation, operation_of
from casino.api.types import Body, Empty, Page
from casino.client.address import client_address
from casino.settings import Settings
from shared_service.http.exchange import request_id
from shared_service.http.routing import Route, Share, route

__all__ = ("ANYONE", "FINDS_PLAYER", "FINDS_TENANT", "PLAYER", "Frame", "Operation")

BASE: Final = "/api/v1"
NOTED_STATUSES: Final = frozenset({403, 404})
"""Of refusals of staff that are in the audit trail."""
FINDS_TENANT: Final = "select from casino.tenants where ledger_id = %(ledger_id)s and tenant_id = %(tenant_id)s"
FINDS_PLAYER: Final = (
    "select from casino.wallets where ledger_id = %(ledger_id)s and player_id = %(player_id)s and owner_kind = 'player'"
)
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Frame:
    """Makes routes. `operations` has all that were made."""

    settings: Settings
    pools: Pools
    operations: list[Operation] = field(default_factory=list)

    def get(self, path: str, handler: Handler, *, query: type[Body] = Empty, **options: Any) -> Route:
        """A route that reads. `query` is the type of its parameters."""
        return self._route("GET", path, handler, query, options)

    def post(self, path: str, handler: Handler, *, body: type[Body] = Empty, **options: Any) -> Route:
        """A route that changes something. `options`: see `Operation`, and `share`."""
        return self._route("POST", path, handler, body, options)

    def patch(self, path: str, handler: Handler, *, body: type[Body] = Empty, **options: Any) -> Route:
        """A route that changes a thing."""
        return self._route("PATCH", path, handler, body, options)

    def put(self, path: str, handler: Handler, *, body: type[Body] = Empty, **options: Any) -> Route:
        """A route that replaces a thing."""
        return self._route("PUT", path, handler, body, options)

    def delete(self, path: str, handler: Handler, *, body: type[Body] = Empty, **options: Any) -> Route:
        """A route that ends a thing."""
        return self._route("DELETE", path, handler, body, options)

    def _route(self, method: str, path: str, handler: Handler, kind: type[Body], options: dict[str, Any]) -> Route:
        operation = operation_of(method, path, handler, kind, **{**options, "share": None})
        self.operations.append(operation)
        share: Share | None = options.get("share")
        names = msgspec.structs.fields(kind) if operation.only_reads else ()
        return route(
            method,
            BASE + path,
            _Endpoint(self, operation).answer,
            access=operation.access,
            share=share,
            query={each.encode_name for each in names},
            errors=API_ERRORS,
            has_head=not operation.has_effect,
        )


@dataclass(frozen=True, slots=True)
class _Endpoint:
    frame: Frame
    operation: Operation

    async def answer(self, request: Request) -> Response:
        """Serve one request."""
        call = self._call(request)
        try:
            return await self._answer(request, call)
        except (LockNotAvailable, DeadlockDetected):  # with a key perhaps its first copy, else somebody else's work
            raise Refused("BUSY" if call.idempotency_key is not None else "OVERLOADED") from None
        except QueryCanceled:
            raise Refused("OVERLOADED") from None
        except Refused as refused:
            is_noted = API_ERRORS[refused.code].status in NOTED_STATUSES
            if is_noted and call.caller.kind in (STAFF, API_KEY):
                await call.audit_refusal(self._action(), subject=next(iter(call.path.values()), None))
            raise

    async def _answer(self, request: Request, call: Call) -> Response:
        operation = self.operation
        self._require_permission(call)
        if operation.prepare is not None:
            await self._prepare(request, call, operation.prepare)
        async with AsyncExitStack() as stack:
            if operation.in_transaction:
                call.connection = await stack.enter_async_context(self.frame.pools.one_of_few(call.caller))
            given, kept, first = await self._take(request, call)
            of_list = cursors.list_of(request) if isinstance(given, Page) else ""
            if first is not None:
                await self._note_repeated(call, first)
                return _json(first.body, first.status, replayed=True)
            answer = await operation.handler(call, given)
            self._require_audit(call)
            await call.write_audits()
            if isinstance(answer, Response):
                return answer
            status = 202 if call.is_accepted else 200 if call.is_known else operation.status
            if status not in (operation.status, *operation.other_statuses):
                raise RuntimeError(f"{self._action()} does not say that it answers {status}")
            if of_list and (place := getattr(answer, "next_cursor", None)) is not None:
                answer.next_cursor = cursors.sealed(call.settings.pepper, of_list, place)  # type: ignore[attr-defined]
            body = _encode(answer)
            if kept is not None:
                await kept.keep(status, body)
        return _json(body, status)

    async def _take(self, request: Request, call: Call) -> tuple[Any, KeptAnswers | None, Kept | None]:
        """Find the thing of the path, read body or query, and take the kept answer. Returns the last two."""
        operation = self.operation
        if operation.finds is not None:
            await call.row(operation.finds, {"ledger_id": call.ledger_id, **call.path})
        if operation.method == "POST":
            call.idempotency_key = reading.idempotency_key(request.headers)
        content = dict(request.query_params) if operation.only_reads else reading.decode(request.state.body)
        digest = b"" if operation.only_reads else reading.body_hash(content)
        given = reading.convert(content, operation.body, operation.field_codes, is_query=operation.only_reads)
        if isinstance(given, Page) and given.cursor is not None:
            given.cursor = cursors.opened(call.settings.pepper, cursors.list_of(request), given.cursor)
        kept = self._kept(request, call)
        return given, kept, await kept.take(digest) if kept is not None else None

    async def _prepare(self, request: Request, call: Call, prepare: Callable[[Call, Any], Awaitable[Any]]) -> None:
        """Prepare without a connection, unless the request is refused or has a kept answer: it is looked at before, in
        a transaction that leaves nothing behind."""
        with suppress(Rollback):
            async with self.frame.pools.one_of_few(call.caller) as call.connection:
                given, _, first = await self._take(request, call)
                raise Rollback
        call.connection = None
        if first is None:
            call.prepared = await prepare(call, given)

    def _call(self, request: Request) -> Call:
        settings = self.frame.settings
        address = client_address(request.scope, settings.trusted_proxies)
        caller: Caller = request.state.caller
        return Call(
            caller=caller, settings=settings, pools=self.frame.pools, path=dict(request.path_params),
            headers=request.headers, request_id=request_id(request.scope), address=str(address) if address else None,
        )  # fmt: skip

    def _require_permission(self, call: Call) -> None:
        wanted, caller = self.operation.permission, call.caller
        only_reads = self.operation.only_reads and caller.kind == STAFF  # an API key has its scopes, and no more
        has_role = caller.role == permissions.OWNER or not self.operation.only_owners
        if caller.must_enrol and not f"{BASE}{self.operation.path}".startswith(WITHOUT_ENROLMENT):
            raise Refused("OTP_ENROLMENT_REQUIRED")
        if wanted is None or (
            has_role and permissions.may(caller.role, caller.permissions, wanted, only_reads=only_reads)
        ):
            return
        raise Refused("FORBIDDEN")

    def _require_audit(self, call: Call) -> None:
        """What staff changes is in the audit trail: a handler that forgets it is a defect."""
        is_staff = call.caller.kind in (STAFF, API_KEY)
        if is_staff and self.operation.has_effect and self.operation.in_transaction and not call.audits:
            raise RuntimeError(f"{self._action()} wrote nothing into the audit trail")

    async def _note_repeated(self, call: Call, first: Kept) -> None:
        """Who sees secrets once more is in the audit trail."""
        if first.shows_secrets:
            action, subject = f"repeated: {self._action()}", next(iter(call.path.values()), None)
            call.audit(action, subject=subject, tenant_id=call.caller.tenant_id)
            await call.write_audits()

    def _kept(self, request: Request, call: Call) -> KeptAnswers | None:
        if not self.operation.keeps_answers or call.idempotency_key is None:
            return None
        caller = call.caller
        scope = f"{caller.kind} {caller.key_id or caller.id} {request.url.path}"
        return KeptAnswers(call, scope, call.idempotency_key)

    def _action(self) -> str:
        return f"{self.operation.method} {self.operation.path}"


def _json(body: bytes, status: int, *, replayed: bool = False) -> Response:
    headers = {"cache-control": "no-store", **({"idempotent-replay": "true"} if replayed else {})}
    return Response(body, status, headers=headers, media_type="application/json")
