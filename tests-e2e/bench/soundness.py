"""The invariants that a benchmark's books must still hold after millions of debits, as few whole-table reads.

The full list is the end-to-end suite's `books.py`, which takes minutes on millions of rows.
"""

from typing import Final

import psycopg

from bench.measurements import UnsoundRoundError

_RULES: Final = {
    "a balance is the sum of its postings": """
        select count(*) from casino.wallets as wallet left join (
            select ledger_id, wallet_id, sum(amount_minor) as posted_minor
            from casino.postings where account = 'wallet' group by ledger_id, wallet_id
        ) as posted using (ledger_id, wallet_id)
        where wallet.balance_minor <> coalesce(posted_minor, 0) or wallet.balance_minor < 0
    """,
    "all postings of a currency sum to zero": """
        select count(*) from (
            select from casino.postings group by currency having sum(amount_minor) <> 0
        ) as currencies
    """,
    "a wallet's sequence counts its transactions": """
        select count(*) from casino.wallets as wallet left join (
            select ledger_id, wallet_id, count(*) as numbered
            from casino.transactions where sequence_no is not null group by ledger_id, wallet_id
        ) as counted using (ledger_id, wallet_id)
        where wallet.sequence_no <> coalesce(numbered, 0)
    """,
    "every posting has its transaction": """
        select count(*) from casino.postings as posting
        left join casino.transactions as entry using (ledger_id, wallet_id, transaction_id {provider_id})
        where entry.transaction_id is null
    """,
}
_HAS_PROVIDERS: Final = """
    select count(*) from pg_attribute where attrelid = 'casino.postings'::regclass and attname = 'provider_id'
"""
"""An earlier revision, which `bench.against` measures, knows one provider."""


def require_sound_ledger(url: str) -> None:
    """Raises UnsoundRoundError that names the rules which do not hold."""
    with psycopg.connect(url) as connection:
        connection.execute("set transaction isolation level repeatable read read only")
        is_by_provider = connection.execute(_HAS_PROVIDERS).fetchone() == (1,)
        rules = {
            rule: text.format(provider_id=", provider_id" if is_by_provider else "") for rule, text in _RULES.items()
        }
        broken = [rule for rule, counting in rules.items() if connection.execute(counting.encode()).fetchone() != (0,)]
    if broken:
        raise UnsoundRoundError(f"the ledger is not sound: {', '.join(broken)}")
