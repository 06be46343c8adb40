"""No counter and no position can overflow in years of play."""

from __future__ import annotations

from provider_testing.service import rows

SMALL_IS_ENOUGH = {
    ("reconciliation_runs", "exit_status"): "0, 1 or 2",
}
SMALL = """
    select table_name, column_name from information_schema.columns
    where table_schema = 'provider' and data_type in ('smallint', 'integer')
"""
SEQUENCES = "select sequencename from pg_sequences where schemaname = 'provider' and max_value < 9223372036854775807"


def test_every_number_has_64_bits(database_url: str, owner_url: str) -> None:
    assert {(row["table_name"], row["column_name"]) for row in rows(owner_url, SMALL)} == SMALL_IS_ENOUGH.keys()
    assert rows(owner_url, SEQUENCES) == []
