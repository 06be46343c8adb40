"""One request to the platform: who calls, the open transaction, and what the audit trail will say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import psycopg
from psycopg.types.json import Jsonb
from starlette.datastructures import Headers

from casino.api.errors import Refused
from casino.api.turnstile import Turnstile
from casino.settings import Settings
from shared_service.postgres.database import Database

STAFF, API_KEY, PLAYER, ANYONE = "staff", "apiKey", "player", "anyone"
SYSTEM: Final = "system"
A = TypeVar("A")
Parameters = Sequence[Any] | dict[str, Any]
NOTE_AUDIT: Final = "select casino.note_audit(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls. An API key acts as its maker: `id` and `name` are the maker's."""

    kind: str
    id: str | None = None
    name: str | None = None
    role: str = ""
    tenant_id: str | None = None
    """None for an owner and for anyone."""
    permissions: frozenset[str] = frozenset()
    status: str = ""
    """Of a player."""
    key_id: str | None = None
    """The id of the API key."""
    family: str | None = None
    """The login that a staff member's token comes from."""
    must_enrol: bool = False
    """Whether one-time passwords have to be enrolled for first."""


@dataclass(frozen=True, slots=True)
class Pools:
    """The pools of the platform: the tenants', the owners', which is None when no address is set, and the guards'."""

    tenants: Database
    oversight: Database | None
    turnstile: Turnstile
    guarding: Database
    """For the guards: who calls is found out while all other connections are in use."""

    @asynccontextmanager
    async def one_of_few(self, caller: Caller) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """As `transaction`; of a tenant's staff few run at once. Raises Refused(OVERLOADED) besides."""
        async with AsyncExitStack() as stack:
            if caller.kind in (STAFF, API_KEY) and caller.tenant_id is not None:
                await stack.enter_async_context(self.turnstile.of(caller.tenant_id))
            yield await stack.enter_async_context(self.transaction(caller))

    @asynccontextmanager
    async def transaction(self, caller: Caller) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """A transaction that sees the caller's tenant and those below; an owner's sees all, anyone's sees none."""
        if caller.kind in (STAFF, API_KEY) and caller.tenant_id is None:
            if self.oversight is None:
                raise Refused("OVERLOADED", sentence="CASINO_OVERSIGHT_DATABASE_URL is not set")
            async with self.oversight.connection() as connection, connection.transaction():
                yield connection
        elif caller.tenant_id is None:
            async with self.tenants.connection() as connection, connection.transaction():
                yield connection
        else:
            async with self.tenants.transaction(caller.tenant_id) as connection:
                yield connection


@dataclass(slots=True, kw_only=True)
class Call:
    """What a handler is given. Its statements run in the request's transaction."""

    caller: Caller
    settings: Settings
    pools: Pools
    path: Mapping[str, str]
    headers: Headers
    request_id: str
    address: str | None
    idempotency_key: str | None = None
    connection: psycopg.AsyncConnection[Any] | None = None
    """None where the route is not `in_transaction`."""
    prepared: Any = None
    """What the operation's `prepare` returned."""
    is_accepted: bool = False
    """Answer 202: the thing waits."""
    is_known: bool = False
    """Answer 200 where making a thing answers 201: it was there."""
    audits: list[tuple[Any, ...]] = field(default_factory=list)

    @property
    def ledger_id(self) -> int:
        """The ledger of this process."""
        return self.settings.ledger_id

    async def rows(self, statement: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """Run a statement in the request's transaction and return its rows."""
        if self.connection is None:
            raise RuntimeError("this route has no transaction: use `apart` or `begin`")
        cursor = await self.connection.execute(statement, parameters)
        return await cursor.fetchall() if cursor.description is not None else []

    async def row(self, statement: str, parameters: Parameters = ()) -> tuple[Any, ...]:
        """The first row of `rows`. Raises Refused(NOT_FOUND) when there is none."""
        found = await self.rows(statement, parameters)
        if not found:
            raise Refused("NOT_FOUND")
        return found[0]

    async def apart(self, statement: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """Run a statement in a transaction of its own, which a refusal of the request does not roll back."""
        if self.caller.kind == ANYONE:  # it sees no tenant: the statement is its own transaction
            return await self.pools.tenants.call(statement, parameters)
        async with self.pools.transaction(self.caller) as connection:
            cursor = await connection.execute(statement, parameters)
            return await cursor.fetchall() if cursor.description is not None else []

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[None]:
        """A transaction in which `rows`, `row` and `audit` work, for a route that is not `in_transaction`."""
        async with self.pools.one_of_few(self.caller) as connection:
            self.connection = connection
            try:
                yield
                await self.write_audits()
            finally:
                self.connection = None
                self.audits.clear()

    def already(self, answer: A) -> A:
        """Returns the answer, which gets the status 200: nothing new was made."""
        self.is_known = True
        return answer

    def accepted(self, answer: A) -> A:
        """Returns the answer, which gets the status 202."""
        self.is_accepted = True
        return answer

    def audit(
        self,
        action: str,
        *,
        subject: str | None = None,
        tenant_id: str | None = None,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> None:
        """Say in the audit trail what was done. Written in the request's transaction; never a secret."""
        changes = (before and Jsonb(before), after and Jsonb(after))
        self.audits.append((*self._audit_row(action, subject, tenant_id, "DONE"), *changes, *self._source()))

    async def audit_refusal(self, action: str, *, subject: str | None = None, tenant_id: str | None = None) -> None:
        """Say in the audit trail what was refused, in a transaction of its own."""
        row = self._audit_row(action, subject, tenant_id or self.caller.tenant_id, "REFUSED")
        await self.apart(NOTE_AUDIT, (*row, None, None, *self._source()))

    async def write_audits(self) -> None:
        """Write what `audit` collected."""
        for row in self.audits:
            await self.rows(NOTE_AUDIT, row)

    def _audit_row(
        self, action: str, subject: str | None, tenant_id: str | None, outcome: str
    ) -> tuple[str | int | None, ...]:
        caller = self.caller
        return (self.ledger_id, tenant_id, caller.kind, caller.id, caller.name, action, subject, outcome)

    def _source(self) -> tuple[str | None, ...]:
        return (self.request_id, self.address)
