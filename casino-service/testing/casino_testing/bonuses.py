"""Promises, forfeits and acknowledges bonuses, as vouchers, staff and players do."""

from __future__ import annotations

import itertools
from typing import Final

from casino_testing.tenant import Tenant

BONUS_MINOR: Final = 2_500
VOUCHER: Final = "v-1"
PAYING_KIND: Final = """
    insert into casino.entry_kinds (entry_kind, direction, accounts) values ('test_bonus', -1, '{bonus_liability}')
    on conflict do nothing
"""
PAY: Final = "select casino.move_house_money(%s, 'test_bonus', %s, %s, %s, 'a bonus', 'a request')"
_numbers = itertools.count(1)
ACKNOWLEDGE: Final = """
    select casino.acknowledge_bonus(%(ledger)s, %(player)s) as done
    from casino.see_tenant(%(ledger)s, %(scope)s) as seen where seen is not null
"""


def pay_for(tenant: Tenant, amount: int) -> None:
    """Put an amount on bonus_liability, as an issued voucher does, from the wallet of a player who is rich."""
    tenant.sql(PAYING_KIND)
    payer = tenant.open_player(f"payer of {tenant.tenant_id}", balance_minor=10**9)
    tenant.sql(PAY, tenant.ledger_id, payer, f"bonus {next(_numbers)}", amount)


def promise(tenant: Tenant, player_id: str = "1", amount: int = BONUS_MINOR, *, is_paid: bool = False) -> None:
    """Promise a bonus for which the tenant itself is the agent. `is_paid`: the agent's money is there already."""
    if amount and not is_paid:
        pay_for(tenant, amount)
    wallet_id = tenant.wallet(player_id)["wallet_id"]
    tenant.sql(
        "select casino.promise_bonus(%s, %s, %s, %s, %s)",
        tenant.ledger_id, wallet_id, amount, VOUCHER, tenant.tenant_id,
    )  # fmt: skip


def forfeit(tenant: Tenant, player_id: str = "1") -> int:
    """Take the pending bonus back; returns its amount."""
    statement = "select casino.forfeit_bonus(%s, %s, 'a reason', 'a request', 's-1') as amount"
    return int(tenant.sql(statement, tenant.ledger_id, tenant.wallet(player_id)["wallet_id"])[0]["amount"])


def acknowledge(tenant: Tenant, player_id: str = "1", *, scope: str | None = None) -> bool:
    """Acknowledge a granted bonus, as somebody who sees a tenant; returns whether there was one."""
    values = {"ledger": tenant.ledger_id, "player": player_id, "scope": scope or tenant.tenant_id}
    return bool(tenant.sql(ACKNOWLEDGE, values)[0]["done"])
