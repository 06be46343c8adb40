"""Players: the row beside each wallet, and who a token's player is."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from casino_testing.tenant import Tenant

LATE = 4_000_000_000


def make(tenant: Tenant, player_id: str, code: bytes = b"code", *, voucher_id: str | None = "v1") -> int:
    (row,) = tenant.sql(
        "select casino.create_player(%s, %s, %s, %s, %s, %s, %s, 'cashier', 'USD') as wallet_id",
        tenant.ledger_id, tenant.tenant_id, player_id, code, b"pin", voucher_id, tenant.tenant_id,
    )  # fmt: skip
    return int(row["wallet_id"])


def enter(tenant: Tenant, player_id: str, issued_at: int = LATE) -> list[tuple[Any, ...]]:
    rows = tenant.sql("select * from casino.enter_player(%s, %s, %s)", tenant.ledger_id, player_id, issued_at)
    return [(row["o_tenant_id"], row["o_status"]) for row in rows]


def test_a_player_is_made_with_an_empty_wallet(tenant: Tenant) -> None:
    wallet_id = make(tenant, "p-1")
    wallet = tenant.wallet("p-1")
    assert (wallet["wallet_id"], wallet["balance_minor"], wallet["owner_kind"]) == (wallet_id, 0, "player")
    (row,) = [row for row in tenant.rows("players") if row["player_id"] == "p-1"]
    assert (row["status"], row["is_ephemeral"], row["cashier_id"]) == ("ACTIVE", True, "cashier")


def test_a_player_without_a_voucher_lasts(tenant: Tenant) -> None:
    make(tenant, "p-1", voucher_id=None)
    assert [row["is_ephemeral"] for row in tenant.rows("players") if row["player_id"] == "p-1"] == [False]


def test_a_login_code_and_a_player_are_unique(tenant: Tenant) -> None:
    make(tenant, "p-1")
    for player_id, code in (("p-1", b"other"), ("p-2", b"code")):
        with pytest.raises(psycopg.errors.UniqueViolation):
            make(tenant, player_id, code)
    assert {row["player_id"] for row in tenant.rows("players")} == {"1", "2", "p-1"}


def test_players_of_the_demo_have_a_row(tenant: Tenant) -> None:
    rows = {row["player_id"]: row for row in tenant.rows("players")}
    assert rows.keys() == {"1", "2"}
    assert (rows["1"]["wallet_id"], rows["1"]["login_code_mac"]) == (tenant.wallet("1")["wallet_id"], None)
    assert not rows["1"]["is_ephemeral"]


def test_a_token_enters_the_tenant_of_its_player(tenant: Tenant) -> None:
    assert enter(tenant, "1") == [(tenant.tenant_id, "ACTIVE")]
    assert enter(tenant, "nobody") == []


def test_a_frozen_and_an_excluded_player_enter_and_a_closed_one_does_not(tenant: Tenant) -> None:
    tenant.sql("update casino.players set status = 'FROZEN' where ledger_id = %s", tenant.ledger_id)
    assert enter(tenant, "1") == [(tenant.tenant_id, "FROZEN")]
    tenant.set_wallet("1", excluded_until="infinity")
    assert enter(tenant, "1") == [(tenant.tenant_id, "EXCLUDED")]
    tenant.sql("update casino.players set status = 'CLOSED', closed_at = now() where ledger_id = %s", tenant.ledger_id)
    assert enter(tenant, "1") == []


def test_a_revoked_token_enters_nowhere_and_a_later_one_does(tenant: Tenant) -> None:
    tenant.sql(
        "insert into casino.access_token_revocations (tenant_id, player_id, issued_until)"
        " values (%s, '1', to_timestamp(1000))",
        tenant.tenant_id,
    )
    assert (enter(tenant, "1", 1000), enter(tenant, "1", 1001)) == ([], [(tenant.tenant_id, "ACTIVE")])
