"""Reads the transaction feed without HTTP."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.datastructures import QueryParams

from casino.callbacks.feed import Feed
from casino_testing.tenant import Tenant
from casino_testing.wallet import Wallet
from shared_service.postgres.database import Database


def feed_of(tenant: Tenant, database: Database) -> Feed:
    return Feed(database, tenant.ledger_id)


async def read_page(feed: Feed, after: str, limit: int = 1_000) -> tuple[list[dict[str, Any]], str]:
    response = await feed.page("main", QueryParams({"after": after, "limit": str(limit)}))
    content = msgspec.json.decode(bytes(response.body))
    return content["transactions"], content["next"]


def read(wallet: Wallet, after: str = "0") -> tuple[list[str], str]:
    rows, cursor = wallet.wait(read_page(feed_of(wallet.tenant, wallet.database), after))
    return [row["transactionId"] for row in rows], cursor
