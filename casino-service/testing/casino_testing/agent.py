"""An agent with money in its float, in SQL alone: issues, redeems and voids vouchers, each on its own connection."""

from __future__ import annotations

import itertools
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from casino_testing import connections
from casino_testing.tenant import SET_CLOCK, Row, Tenant

FUNDS_MINOR: Final = 1_000_000
ISSUE: Final = """
    select * from casino.issue_vouchers(
        %(ledger)s, %(agent)s, %(amount)s, %(expires_at)s, false, 'cashier-1', 'a request',
        %(ids)s, %(codes)s, %(pins)s, %(slips)s, %(slips)s
    )
"""
TRY: Final = "select * from casino.try_voucher(%s, %s, %s, %s)"
REDEEM: Final = "select * from casino.redeem_voucher(%s, %s, %s, %s, %s, 'x', 'a request')"
VOID: Final = "select casino.void_voucher(%s, %s, 'agent-1', 'a request') as o_code"
EXPIRE: Final = "select casino.expire_vouchers(%s, %s) as expired"
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Voucher:
    """A voucher as whoever bought it knows it."""

    voucher_id: str
    code_mac: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    pin_mac: bytes = field(default_factory=lambda: secrets.token_bytes(32))


@dataclass(frozen=True, slots=True)
class Agent:
    """A tenant of the type AGENT below a test's tenant."""

    tenant: Tenant
    agent_id: str

    @classmethod
    def below(cls, tenant: Tenant, *, bonus_bp: int = 0, funds_minor: int = FUNDS_MINOR) -> Agent:
        """Make an agent and fund its float from the cash of the house."""
        agent_id = tenant.add_tenant_below(f"agent{next(_numbers)}")
        tenant.sql(
            "update casino.tenants set tenant_type = 'AGENT', bonus_bp = %s where tenant_id = %s", bonus_bp, agent_id
        )
        tenant.sql(
            "select casino.move_house_money(%(ledger)s, 'float_in', casino.float_of(%(ledger)s, %(agent)s), 'funds',"
            " %(funds)s, 'funds', 'a request')",
            {"ledger": tenant.ledger_id, "agent": agent_id, "funds": funds_minor},
        )
        return cls(tenant, agent_id)

    def act(self, statement: str, parameters: Any, *, now: datetime | None = None, sees: str | None = None) -> Row:
        """Run one statement in a transaction that nobody else has, in the view of the agent or of `sees`."""
        connection = connections.take(self.tenant.url)
        try:
            with connection.transaction():
                connection.execute(SET_CLOCK, [str(now or "")])
                connection.execute("select casino.see_tenant(%s, %s)", [self.tenant.ledger_id, sees or self.agent_id])
                row = connection.execute(statement, parameters).fetchone()
        finally:
            connections.give_back(connection, self.tenant.url)
        assert row is not None
        return row

    def ask(self, count: int = 1, amount: int = 1_000, **options: Any) -> tuple[Row, list[Voucher]]:
        """Ask for vouchers; returns what the database said, and the vouchers, which may not be there."""
        vouchers = [Voucher(secrets.token_hex(8)) for _ in range(count)]
        parameters = {
            "ledger": self.tenant.ledger_id, "agent": options.pop("agent", self.agent_id), "amount": amount,
            "expires_at": options.pop("expires_at", None),
            "ids": [each.voucher_id for each in vouchers], "codes": [each.code_mac for each in vouchers],
            "pins": [each.pin_mac for each in vouchers], "slips": [b"x"] * count,
        }  # fmt: skip
        return self.act(ISSUE, parameters, **options), vouchers

    def issue(self, count: int = 1, amount: int = 1_000, **options: Any) -> list[Voucher]:
        """Issue vouchers."""
        said, vouchers = self.ask(count, amount, **options)
        assert said["o_code"] is None
        return vouchers

    def attempt(
        self, voucher: Voucher, *, pin: bytes | None = None, address: str = "192.0.2.1", now: datetime | None = None
    ) -> str | None:
        """Try a voucher; returns why it cannot be redeemed, or None."""
        parameters = [self.tenant.ledger_id, voucher.code_mac, pin or voucher.pin_mac, address]
        code: str | None = self.act(TRY, parameters, now=now)["o_code"]
        return code

    def redeem(self, voucher: Voucher, *, player_id: str | None = None, now: datetime | None = None) -> Row:
        """Redeem a voucher, for a new player."""
        player_id = player_id or secrets.token_hex(8)
        parameters = [self.tenant.ledger_id, voucher.code_mac, voucher.pin_mac, player_id, player_id.encode()]
        return self.act(REDEEM, parameters, now=now)

    def void(self, voucher: Voucher, *, now: datetime | None = None, sees: str | None = None) -> str | None:
        """Make a voucher void; returns why it cannot be, or None."""
        code: str | None = self.act(VOID, [self.tenant.ledger_id, voucher.voucher_id], now=now, sees=sees)["o_code"]
        return code

    def expire(self, *, limit: int = 100, now: datetime | None = None) -> int:
        """Run a step of the expiry loop; returns what it says."""
        return int(self.act(EXPIRE, [self.tenant.ledger_id, limit], now=now)["expired"])

    def balance(self) -> int:
        """What the float holds."""
        return self.tenant.balance(f"§tenant:{self.agent_id}")

    def states(self) -> list[str]:
        """The states of all vouchers of the ledger, sorted."""
        return sorted(row["status"] for row in self.tenant.rows("vouchers"))

    def owed(self) -> dict[str, int]:
        """What the ledger owes for vouchers and bonuses."""
        rows = self.tenant.sql(
            "select account, sum(amount_minor)::bigint as owed from casino.postings"
            " where ledger_id = %s and account like '%%liability' group by account having sum(amount_minor) <> 0",
            self.tenant.ledger_id,
        )
        return {row["account"]: int(row["owed"]) for row in rows}
