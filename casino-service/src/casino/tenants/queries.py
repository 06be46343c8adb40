"""The statements about tenants and their floats."""

from __future__ import annotations

from typing import Final

_TENANT: Final = """
    select
        tenant.tenant_id, tenant_type, display_name, tenant.parent_id, tenant.currency, status, bonus_bp, timezone,
        region, require_approval_above_minor, coalesce(float.balance_minor, 0), tenant.created_at
    from casino.tenants as tenant
    left join casino.wallets as float
        on float.ledger_id = tenant.ledger_id and float.player_id = '§tenant:' || tenant.tenant_id
    where tenant.ledger_id = %(ledger_id)s
"""
ONE: Final = f"{_TENANT} and tenant.tenant_id = %(tenant_id)s"
LIST: Final = f"""
    {_TENANT} and (tenant.created_at, tenant.tenant_id) < (%(before_at)s, %(before_id)s)
    order by tenant.created_at desc, tenant.tenant_id desc
    limit %(limit)s
"""
CREATE: Final = "select * from casino.create_tenant(%s, %s, %s, %s, %s, %s)"
SEE: Final = "select casino.see_tenant(%s, %s)"
CHANGE: Final = "select casino.change_tenant(%s, %s, %s)"
FUND: Final = "select * from casino.fund_tenant(%s, %s, %s, %s, %s, %s, %s, %s)"
OF_STATEMENT: Final = """
    select timezone, currency, casino.clock() from casino.tenants
    where ledger_id = %(ledger_id)s and tenant_id = %(tenant_id)s
"""
_FLOAT: Final = """
    with float as (
        select ledger_id, wallet_id from casino.wallets
        where ledger_id = %(ledger_id)s and player_id = '§tenant:' || %(tenant_id)s
    )
"""
RANGE: Final = f"""
    {_FLOAT}
    select coalesce(first, until, last + 1), coalesce(until, last + 1)
    from float
    cross join lateral (
        select
            (
                select sequence_no from casino.float_entries as entry
                where entry.ledger_id = float.ledger_id and entry.wallet_id = float.wallet_id and at >= %(from)s
                order by at, sequence_no limit 1
            ) as first,
            (
                select sequence_no from casino.float_entries as entry
                where entry.ledger_id = float.ledger_id and entry.wallet_id = float.wallet_id and at >= %(until)s
                order by at, sequence_no limit 1
            ) as until,
            (
                select coalesce(max(sequence_no), 0) from casino.float_entries as entry
                where entry.ledger_id = float.ledger_id and entry.wallet_id = float.wallet_id
            ) as last
    ) as marks
"""  # noqa: S608 - of this file
"""The numbers of the first entry of a time, and of the first one behind it. No row: the tenant has no float yet."""
BALANCE: Final = f"""
    {_FLOAT}
    select entry.balance_after_minor
    from float
    join casino.float_entries as told using (ledger_id, wallet_id)
    join casino.transactions as entry using (ledger_id, wallet_id, transaction_id)
    where told.sequence_no = %(number)s and entry.provider_id = 'main'
"""  # noqa: S608 - as above
ENTRIES: Final = f"""
    {_FLOAT}
    select
        told.sequence_no, told.at, entry.kind, kind.direction * entry.amount_minor, entry.balance_after_minor,
        told.counterparty, told.actor_id, entry.reason, told.reference
    from float
    join casino.float_entries as told using (ledger_id, wallet_id)
    join casino.transactions as entry using (ledger_id, wallet_id, transaction_id)
    join casino.entry_kinds as kind on kind.entry_kind = entry.kind
    where told.sequence_no >= %(first)s and told.sequence_no < %(end)s and entry.provider_id = 'main'
    order by told.sequence_no
    limit %(limit)s
"""  # noqa: S608 - as above
