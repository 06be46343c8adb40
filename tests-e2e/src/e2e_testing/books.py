"""Checks the casino's books by SQL of its own against protocol.md section 4 (12).

Only reads. The rules below use no function and no view of the casino, because those are being checked.
The casino's own view of invalid rows is asked too.
Every statement finds rows that break its rule, among the wallets `%(wallets)s` or, where that is null, among all.
"""

from e2e_testing.database import Database, Row

BALANCE_IS_SUM_OF_POSTINGS = """
    select wallet.wallet_id, wallet.balance_minor, sum(posting.amount_minor) as posted_minor
    from casino.wallets as wallet
    left join casino.postings as posting
        on posting.ledger_id = wallet.ledger_id and posting.wallet_id = wallet.wallet_id and posting.account = 'wallet'
    where %(wallets)s::bigint[] is null or wallet.wallet_id = any(%(wallets)s)
    group by wallet.ledger_id, wallet.wallet_id, wallet.balance_minor
    having wallet.balance_minor <> coalesce(sum(posting.amount_minor), 0)
"""
POSTINGS_OF_A_CURRENCY_SUM_TO_ZERO = """
    select currency, sum(amount_minor) as sum_minor from casino.postings
    where %(wallets)s::bigint[] is null or wallet_id = any(%(wallets)s)
    group by currency having sum(amount_minor) <> 0
"""
POSTINGS_OF_A_TRANSACTION_SUM_TO_ZERO = """
    select wallet_id, transaction_id, sum(amount_minor) as sum_minor from casino.postings
    where %(wallets)s::bigint[] is null or wallet_id = any(%(wallets)s)
    group by ledger_id, wallet_id, transaction_id, provider_id having sum(amount_minor) <> 0
"""
NO_NEGATIVE_BALANCE = """
    select wallet_id, 'now' as transaction_id, balance_minor from casino.wallets
    where balance_minor < 0 and (%(wallets)s::bigint[] is null or wallet_id = any(%(wallets)s))
    union all
    select wallet_id, transaction_id, balance_after_minor from casino.transactions
    where balance_after_minor < 0 and (%(wallets)s::bigint[] is null or wallet_id = any(%(wallets)s))
"""
SEQUENCE_HAS_NO_GAP = """
    select wallet_id, count(*) as numbered, max(entry.sequence_no) as highest, wallet.sequence_no as of_wallet
    from casino.wallets as wallet
    left join casino.transactions as entry using (ledger_id, wallet_id)
    where entry.sequence_no is not null and (%(wallets)s::bigint[] is null or wallet_id = any(%(wallets)s))
    group by ledger_id, wallet_id, wallet.sequence_no
    having count(distinct entry.sequence_no) <> count(*) or min(entry.sequence_no) <> 1
        or max(entry.sequence_no) <> count(*) or max(entry.sequence_no) <> wallet.sequence_no
"""
EVERY_BALANCE_AFTER_IS_THE_SUM_SO_FAR = """
    select * from (
        select entry.wallet_id, entry.transaction_id, entry.balance_after_minor,
            sum(coalesce(posting.amount_minor, 0)) over (
                partition by entry.ledger_id, entry.wallet_id order by entry.sequence_no
            ) as sum_so_far_minor
        from casino.transactions as entry
        left join casino.postings as posting
            on posting.ledger_id = entry.ledger_id and posting.wallet_id = entry.wallet_id
            and posting.transaction_id = entry.transaction_id and posting.provider_id = entry.provider_id
            and posting.account = 'wallet'
        where entry.sequence_no is not null and (%(wallets)s::bigint[] is null or entry.wallet_id = any(%(wallets)s))
    ) as running where balance_after_minor <> sum_so_far_minor
"""
A_ROLLED_BACK_BET_WAS_RETURNED_EXACTLY_ONCE = """
    select bet.wallet_id, bet.transaction_id, bet.state, bet.amount_minor, count(back.*) as reversals
    from casino.transactions as bet
    left join casino.transactions as back
        on back.ledger_id = bet.ledger_id and back.wallet_id = bet.wallet_id and back.kind = 'rollback'
        and back.related_transaction_id = bet.transaction_id and back.amount_minor > 0
        and back.provider_id = bet.provider_id
    where bet.kind = 'debit' and (%(wallets)s::bigint[] is null or bet.wallet_id = any(%(wallets)s))
    group by bet.ledger_id, bet.wallet_id, bet.provider_id, bet.transaction_id, bet.state, bet.amount_minor
    having coalesce(sum(back.amount_minor), 0) <> case bet.state when 'rolled_back' then bet.amount_minor else 0 end
        or count(back.*) > 1
"""
NO_BET_LIVES_BESIDE_ITS_TOMBSTONE = """
    select wallet_id, transaction_id, bet.state
    from casino.transactions as bet
    join casino.tombstones using (ledger_id, wallet_id, transaction_id, provider_id)
    where bet.kind = 'debit' and bet.state <> 'refused'
        and (%(wallets)s::bigint[] is null or wallet_id = any(%(wallets)s))
"""
NOTHING_IS_IN_TRANSIT = """
    select ledger_id, transaction_id, currency, sum(amount_minor) as sum_minor from casino.postings
    where account = 'in_transit' and %(wallets)s::bigint[] is null
    group by ledger_id, transaction_id, currency having sum(amount_minor) <> 0
"""
"""Of all wallets only: some wallets may hold one side of a transfer."""

INVARIANTS = {
    "a balance is the sum of its postings": BALANCE_IS_SUM_OF_POSTINGS,
    "all postings of a currency sum to zero": POSTINGS_OF_A_CURRENCY_SUM_TO_ZERO,
    "the postings of a transaction sum to zero": POSTINGS_OF_A_TRANSACTION_SUM_TO_ZERO,
    "no balance was ever negative": NO_NEGATIVE_BALANCE,
    "a wallet's sequence has no gap": SEQUENCE_HAS_NO_GAP,
    "every balance after a transaction is the sum so far": EVERY_BALANCE_AFTER_IS_THE_SUM_SO_FAR,
    "a rolled-back bet was returned exactly once": A_ROLLED_BACK_BET_WAS_RETURNED_EXACTLY_ONCE,
    "money between two wallets has arrived": NOTHING_IS_IN_TRANSIT,
    "no bet lives beside its tombstone": NO_BET_LIVES_BESIDE_ITS_TOMBSTONE,
}


def broken_invariants(database: Database, wallets: list[int] | None = None) -> dict[str, list[Row]]:
    """The name of every broken invariant with the rows that break it, all read in one snapshot."""
    with database.transaction() as connection:
        connection.execute("set transaction isolation level repeatable read read only")
        found = {
            name: connection.execute(statement.encode(), {"wallets": wallets}).fetchall()
            for name, statement in INVARIANTS.items()
        }
    return {name: rows for name, rows in found.items() if rows}


def differences_the_casino_sees(database: Database, wallets: list[int] | None = None) -> list[Row]:
    return database.rows(
        "select * from casino.ledger_differences"
        " where %(wallets)s::bigint[] is null or wallet_id is null or wallet_id = any(%(wallets)s)",
        wallets=wallets,
    )


def require_sound_books(database: Database, wallets: list[int] | None = None) -> None:
    broken = broken_invariants(database, wallets)
    assert not broken, "\n".join(f"{name}: {rows[:5]}" for name, rows in broken.items())
    told = differences_the_casino_sees(database, wallets)
    assert not told, f"the casino sees what this suite does not: {told[:5]}"


class BooksCheck:
    """Checks after each test the wallets that were used since the last time, and in the end all of them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen_position = -1

    def check_what_moved(self) -> None:
        moved = self._database.rows(
            "select distinct wallet_id, max(feed_position) over () as newest from casino.transactions"
            " where feed_position > %(seen)s",
            seen=self._seen_position,
        )
        if moved:
            require_sound_books(self._database, [row["wallet_id"] for row in moved])
            self._seen_position = moved[0]["newest"]

    def check_everything(self) -> None:
        require_sound_books(self._database)
