"""The routes of vouchers, and the loop that expires them."""

from __future__ import annotations

from typing import Final

from casino.api.frame import ANYONE, FINDS_TENANT, Frame
from casino.api.types import Page
from casino.vouchers import issue, queries, redeem, slips, vouchers
from shared_service.http.routing import Route
from shared_service.run.loops import BackgroundLoop

EXPIRY_SECONDS: Final = 5.0
EXPIRY_PAGE: Final = 100


def routes(frame: Frame) -> list[Route]:
    """Every route of vouchers."""
    of_agent, one = "/voucher/agents/{tenant_id}/vouchers", "/voucher/{voucher_id}"
    return [
        frame.post(
            of_agent, issue.issue, body=issue.IssueBody, answer=issue.Issued, status=201, permission="vouchers.issue",
            codes=("INVALID_AGENT", "TENANT_NOT_ACTIVE", "INSUFFICIENT_AGENT_FUNDS"),
            field_codes={"amountMinor": "INVALID_AMOUNT"},
        ),
        frame.get(
            of_agent, vouchers.show_all, query=Page, answer=vouchers.VouchersAnswer, permission="vouchers.read",
            finds=FINDS_TENANT,
        ),
        frame.post(
            "/voucher/redeem", redeem.redeem, body=redeem.RedeemBody, answer=redeem.Redeemed, status=redeem.CREATED,
            access=ANYONE, in_transaction=False,
            codes=("INVALID_OR_USED_VOUCHER", "TENANT_NOT_ACTIVE"),
        ),
        frame.get(
            one, vouchers.show, answer=vouchers.VoucherAnswer, permission="vouchers.read", finds=queries.FINDS_VOUCHER
        ),
        frame.post(
            f"{one}/void", vouchers.void, answer=vouchers.VoucherAnswer, permission="vouchers.void",
            finds=queries.FINDS_VOUCHER, codes=("VOUCHER_NOT_NEW",),
        ),
        frame.get(
            f"{one}/slip", slips.show, query=slips.SlipQuery, permission="vouchers.issue", finds=queries.FINDS_VOUCHER,
            has_effect=True, headers=("x-slip-token",), media_types=("image/svg+xml", "text/plain"),
        ),
    ]  # fmt: skip


def loops(frame: Frame) -> list[BackgroundLoop]:
    """The loop that gives the money of vouchers back whose time is over."""

    async def expire() -> bool:
        rows = await frame.pools.tenants.call(queries.EXPIRE, (frame.settings.ledger_id, EXPIRY_PAGE))
        return int(rows[0][0]) == EXPIRY_PAGE

    return [BackgroundLoop("vouchers", expire, interval_seconds=EXPIRY_SECONDS)]
