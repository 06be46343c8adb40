"""Both sides' books, transaction by transaction: an independent reconciliation by SQL (protocol.md section 7).

Only reads, but for `hurry`, which lets time pass for what waits to be sent again.
"""

from e2e_testing.books import require_sound_books
from e2e_testing.database import Database, Row
from shared_service_testing.waiting import wait_until

PENDING = """
    select transaction_id, kind, state, outcome_code, attempts, due_at - now() as due_in, in_doubt_at
    from provider.wallet_transactions where state = 'pending'
"""
OPEN_ROUNDS = "select round_id, state, lease_until - now() as lease from provider.rounds where state = 'open'"

BOTH_SIDES = """
    select
        ours.transaction_id::text as transaction_id, ours.kind, ours.state as provider_state,
        ours.amount_minor as provider_amount, theirs.kind as casino_kind, theirs.amount_minor as casino_amount,
        case when theirs.state = 'committed' and theirs.kind = 'debit' and round.credits > 0 then 'settled'
            else theirs.state end as casino_state,
        stone.transaction_id is not null as entombed, ours.difference_code, ours.tombstone as provider_tombstone,
        theirs.tombstone as casino_tombstone
    from provider.wallet_transactions as ours
    join provider.game_sessions as seat using (provider_session_id)
    left join casino.wallets as wallet on wallet.player_id = seat.user_id
    left join casino.transactions as theirs
        on theirs.wallet_id = wallet.wallet_id and theirs.transaction_id = ours.transaction_id::text
    left join casino.rounds as round on round.wallet_id = wallet.wallet_id and round.round_id = theirs.round_id
    left join casino.tombstones as stone
        on stone.wallet_id = wallet.wallet_id and stone.transaction_id = ours.transaction_id::text
"""
NEVER_SENT = """
    select theirs.transaction_id, theirs.kind, theirs.state
    from casino.transactions as theirs
    join casino.rounds as round using (ledger_id, wallet_id, round_id)
    where theirs.kind in ('debit', 'credit', 'rollback')
        and theirs.round_id in (select round_id::text from provider.rounds)
        and theirs.transaction_id not in (select transaction_id::text from provider.wallet_transactions)
"""

# Kind and state at the provider, to what the casino may hold of it: its state, or None where it has no such row.
AGREEMENT: dict[tuple[str, str], set[str | None]] = {
    ("debit", "committed"): {"committed"},
    ("debit", "settled"): {"settled"},
    ("debit", "rolled_back"): {"rolled_back"},
    ("debit", "refused"): {"refused", None},
    ("credit", "committed"): {"committed"},
    ("credit", "refused"): {None},
    ("rollback", "committed"): {"committed"},
    ("rollback", "refused"): {None},
}


def disagreement(row: Row) -> str | None:
    """Why the two sides do not agree about one transaction, or None."""
    casino_state = row["casino_state"]
    if row["kind"] == "debit" and row["provider_state"] == "rolled_back" and row["entombed"]:
        return None if casino_state in (None, "refused") else f"a tombstone beside a bet: {row}"
    if casino_state not in AGREEMENT.get((row["kind"], row["provider_state"]), set()):
        return f"the states differ: {row}"
    if casino_state is not None and row["casino_kind"] != row["kind"]:
        return f"the kinds differ: {row}"
    moved = casino_state in ("committed", "settled", "rolled_back")
    if moved and row["kind"] != "rollback" and row["casino_amount"] != row["provider_amount"]:
        return f"the amounts differ: {row}"
    return None


def disagreements(database: Database) -> list[str]:
    told = [reason for row in database.rows(BOTH_SIDES) if (reason := disagreement(row))]
    return told + [f"the provider never wrote this down: {row}" for row in database.rows(NEVER_SENT)]


def hurry(database: Database) -> None:
    """Let the pauses between deliveries be over, as if minutes had passed; leases of live calls are left alone."""
    database.rows(
        "update provider.wallet_transactions set due_at = now()"
        " where state = 'pending' and outcome_code is not null and due_at > now() + interval '1 second'"
    )


def wait_until_settled(database: Database) -> None:
    """Wait until nothing is pending and no round is open."""

    def pending() -> list[Row]:
        return database.rows(PENDING) + database.rows(OPEN_ROUNDS)

    def is_settled() -> bool:
        hurry(database)
        return not pending()

    wait_until(is_settled, lambda: f"still pending: {pending()[:5]}")


def require_agreement(database: Database) -> None:
    """After recovery: nothing pending, both sides agree about every transaction, the casino's books are sound."""
    wait_until_settled(database)
    told = disagreements(database)
    assert not told, "\n".join(told[:5])
    require_sound_books(database)
