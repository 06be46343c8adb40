"""A second opinion on the hash chain: the formula of docs/decisions/0013, written down again from its text."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC

from casino_testing.tenant import Row, Tenant

COLUMNS = (
    *("ledger_id", "wallet_id", "sequence_no", "transaction_id", "kind", "session_id", "round_id", "amount_minor"),
    *("currency", "related_transaction_id", "balance_after_minor", "tombstone", "already_rolled_back"),
)


def entries(tenant: Tenant, player_id: str = "1") -> list[Row]:
    """A wallet's chain, oldest first."""
    wallet_id = tenant.wallet(player_id)["wallet_id"]
    rows = [row for row in tenant.rows("transactions") if row["wallet_id"] == wallet_id]
    return sorted((row for row in rows if row["sequence_no"] is not None), key=lambda row: int(row["sequence_no"]))


def hashes_by_hand(rows: list[Row]) -> list[bytes]:
    """The hashes that these entries must have, each over the one before."""
    found: list[bytes] = []
    for row in rows:
        fields = [found[-1].hex() if found else None, *(row[column] for column in COLUMNS)]
        if row["entry_formula"] == 2:
            fields.append(details(row))
        text = json.dumps(fields, ensure_ascii=False, default=str)
        found.append(hashlib.sha256(text.encode()).digest())
    return found


def details(row: Row) -> dict[str, str]:
    """What formula 2 hashes besides."""
    at = row["recorded_at"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    found = {"recordedAt": at, "requestId": row["request_id"], "signedBy": row["signed_by"]}
    if row["provider_id"] != "main":
        found["provider"] = row["provider_id"]
    return {name: value for name, value in found.items() if value is not None}
