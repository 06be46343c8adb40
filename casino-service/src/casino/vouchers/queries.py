"""The statements about vouchers."""

from __future__ import annotations

from typing import Final

ISSUE: Final = "select * from casino.issue_vouchers(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
TAKE_SLIP: Final = "select casino.take_slip(%s, %s, %s)"
VOID: Final = "select casino.void_voucher(%s, %s, %s, %s)"
TRY: Final = "select * from casino.try_voucher(%s, %s, %s, %s)"
REDEEM: Final = """
    select *, floor(extract(epoch from casino.clock()))::bigint
    from casino.redeem_voucher(%s, %s, %s, %s, %s, %s, %s)
"""
EXPIRE: Final = "select casino.expire_vouchers(%s, %s)"
_VOUCHER: Final = """
    select
        voucher_id, tenant_id, amount_minor, bonus_minor, status, expires_at, issued_at, issued_by, ended_at, player_id,
        prize_wheel_enabled
    from casino.vouchers
    where ledger_id = %(ledger_id)s
"""
ONE: Final = f"{_VOUCHER} and voucher_id = %(voucher_id)s"
LIST: Final = f"""
    {_VOUCHER} and tenant_id = %(tenant_id)s and (issued_at, voucher_id) < (%(before_at)s, %(before_id)s)
    order by issued_at desc, voucher_id desc
    limit %(limit)s
"""
FINDS_VOUCHER: Final = "select from casino.vouchers where ledger_id = %(ledger_id)s and voucher_id = %(voucher_id)s"
ONE_SLIP: Final = """
    select voucher.tenant_id, amount_minor, bonus_minor, voucher.currency, expires_at, display_name
    from casino.vouchers as voucher
    join casino.tenants as agent on agent.ledger_id = voucher.ledger_id and agent.tenant_id = voucher.tenant_id
    where voucher.ledger_id = %(ledger_id)s and voucher_id = %(voucher_id)s
"""
