"""One session of the demo data: calls the functions of the platform at a time of its own."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final, LiteralString

import msgspec
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from casino.ops.demo_data.clock import set_now
from casino.wallet.commands import WalletCommand

EXECUTE: Final = """
    select o_outcome, o_code, o_balance_minor
    from (select pg_catalog.set_config('casino.demo_now', %s, false) as now) as moved
    cross join lateral casino.execute_wallet_commands(case when moved.now <> '' then %s end, %s::jsonb)
    order by o_place
"""
"""Moves the clock, then executes a batch: one round trip."""
SEE: Final = "select casino.see_tenant(%s, %s)"
NOTE: Final = "select casino.note_audit(%s, %s, 'staff', %s, %s, %s, %s, 'DONE', null, %s, %s, null)"
KEY: Final = "demo-data"
"""The id of the key that signed the wallet commands of the demo data: no peer has it."""
_encode = msgspec.json.Encoder().encode


class Refused(RuntimeError):  # noqa: N818 - an outcome, named as the others are
    """A function of the platform refused what the demo data asked for, and must not. The text has its code."""


class Stopped(Exception):  # noqa: N818 - an outcome, named as the others are
    """The run is to end before it is done."""


class Books:
    """A session in the role of the application or of the owners' view, with random numbers that a seed fixes."""

    def __init__(self, connection: psycopg.Connection[Any], ledger_id: int, *, seed: str) -> None:
        self.connection = connection
        self.ledger_id = ledger_id
        self.random = random.Random(seed)  # noqa: S311 - figures of a demo, which must be the same each time
        self.now = datetime.min.replace(tzinfo=UTC)
        self.tenant_id: str | None = None
        self._is_told = True
        self.is_stopped = False
        """Whether the run is to end: then time goes no further."""

    def at(self, now: datetime) -> None:
        """Make this the time of what follows. Time never goes back in a session. Raises Stopped."""
        if self.is_stopped:
            raise Stopped
        if now < self.now:
            raise ValueError("the demo's time goes back")
        self.now = now
        self._is_told = False

    def wait(self, seconds: float) -> None:
        """Move the time on."""
        self.at(self.now + timedelta(seconds=seconds))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One database transaction, which sees the rows of the tenant and of those below it."""
        with self.connection.transaction():
            if self.tenant_id is not None:
                self.ask(SEE, self.ledger_id, self.tenant_id)
            yield

    def ask(self, statement: LiteralString | sql.Composed, *parameters: Any) -> list[tuple[Any, ...]]:
        """Returns the rows of a statement."""
        if not self._is_told:
            set_now(self.connection, self.now)
            self._is_told = True
        return self.connection.execute(statement, parameters).fetchall()

    def call(self, function: str, *parameters: Any) -> tuple[Any, ...]:
        """Returns the row of a function of the schema, whose first parameter is the ledger."""
        given = (self.ledger_id, *parameters)
        marks = sql.SQL(", ").join([sql.Placeholder()] * len(given))
        statement = sql.SQL("select * from {}({})").format(sql.Identifier("casino", function), marks)
        rows = self.ask(statement, *given)
        return rows[0] if rows else ()

    def must(self, function: str, *parameters: Any) -> tuple[Any, ...]:
        """As `call`, of a function whose first column is a refusal's code or null. Raises Refused."""
        row = self.call(function, *parameters)
        if row and row[0] is not None:
            raise Refused(f"casino.{function}: {row[0]}")
        return row

    def execute(
        self, commands: Sequence[WalletCommand], *, after: float = 0
    ) -> list[tuple[str, str | None, int | None]]:
        """Move the time on, and execute a batch; returns outcome, code and balance of each command."""
        self.wait(after)
        self._is_told = True
        values = (self.now.isoformat(), self.ledger_id, _encode(commands).decode())
        return self.connection.execute(EXECUTE, values).fetchall()

    def audit(self, staff: tuple[str, str], action: str, subject: str, tenant_id: str, **after: Any) -> None:
        """Write a row of the audit trail, as the API does for what staff changes. `staff`: id and name."""
        self.ask(NOTE, self.ledger_id, tenant_id, *staff, action, subject, Jsonb(after), self.new_id())

    def new_id(self) -> str:
        """Returns a UUID of this session's random numbers."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))
