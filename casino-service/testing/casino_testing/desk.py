"""Calls the functions of the operator's platform as its service does: in a transaction that sees one tenant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from psycopg import sql

from casino_testing import connections
from casino_testing.service import login_url
from casino_testing.tenant import Row, Tenant

AS_APPLICATION: Final = "-c role=casino_app"
CASHIER: Final = "cashier-1"


def hire_cashier(tenant: Tenant, *, float_minor: int) -> None:
    """A cashier of the tenant with the id CASHIER, and money in the tenant's float."""
    tenant.sql(
        "insert into casino.staff (ledger_id, staff_id, tenant_id, username, role, made_at)"
        " values (%s, %s, %s, 'cashier', 'cashier', now())",
        tenant.ledger_id, CASHIER, tenant.tenant_id,
    )  # fmt: skip
    tenant.sql(
        "select casino.move_house_money(%s, 'float_in', casino.float_of(%s, %s), 'loan', %s, 'a loan', 'request')",
        tenant.ledger_id, tenant.ledger_id, tenant.tenant_id, float_minor,
    )  # fmt: skip


class Desk:
    """A connection of the service's login. Two desks race as two processes do."""

    def __init__(self, tenant: Tenant, tenant_id: str | None = None) -> None:
        self.tenant = tenant
        self.tenant_id = tenant_id or tenant.tenant_id
        self._url = login_url(tenant.url)
        self._connection = connections.take(self._url, AS_APPLICATION)

    def close(self) -> None:
        """End the use of the connection."""
        connections.give_back(self._connection, self._url, AS_APPLICATION)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Several calls in one transaction."""
        with self._connection.transaction():
            self._connection.execute("select casino.see_tenant(%s, %s)", [self.tenant.ledger_id, self.tenant_id])
            yield

    def rows(self, function: str, *arguments: Any) -> list[Row]:
        """Call a function of the ledger, in the transaction that is open; returns its rows."""
        call = sql.SQL("select * from {}({})").format(
            sql.Identifier("casino", function), sql.SQL(", ").join(sql.Placeholder() * (len(arguments) + 1))
        )
        return self._connection.execute(call, [self.tenant.ledger_id, *arguments]).fetchall()

    def call(self, function: str, *arguments: Any) -> Row:
        """Call a function in a transaction of its own; returns its only row."""
        with self.transaction():
            (row,) = self.rows(function, *arguments)
        return row

    def value(self, function: str, *arguments: Any) -> Any:
        """Call a function that returns one value."""
        return self.call(function, *arguments)[function]

    def execute(self, statement: str, *parameters: Any) -> None:
        """Run a statement of the connection itself, such as one that sets its clock."""
        self._connection.execute(statement, parameters)  # type: ignore[call-overload]

    def pay(self, kind: str, amount: int = 0, *, player_id: str = "1", by: str = "staff-1") -> Row:
        """A payment, as staff asks for it."""
        return self.call("pay_player", player_id, kind, amount, "why", "request-1", by)
