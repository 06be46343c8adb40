"""The SQL of reconciliation with one casino: runs, differences, and the transactions of these books to compare.

A casino's feed may name any id. Every statement here reads and changes only transactions of that casino's sessions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from provider.outbox.books import acceptance_values
from provider.outbox.calls import DueCall
from provider.reconciliation.compare import proposal
from provider.reconciliation.transactions import Ours, Theirs, Unreadable
from provider.wallet_client.outcomes import Accepted
from shared_service.postgres.database import Database

LEASE_SECONDS: Final = 60.0

_OURS: Final = """
    select t.transaction_id, s.user_id, t.provider_session_id, t.round_id::text as round_id, r.state as round_state,
        t.kind, t.amount_minor, t.currency, t.state, t.outcome_code, t.difference_code, t.tombstone,
        t.balance_after_minor, coalesce(t.related_transaction_id, t.original_transaction_id)::text as related_id,
        t.kind = 'rollback' and exists (
            select from provider.wallet_transactions as b where b.transaction_id = t.original_transaction_id
        ) as original_known,
        back.state as rollback_state, coalesce(back.tombstone, false) as rollback_tombstone,
        coalesce(payout.pending, false) as payout_pending, coalesce(payout.committed, false) as payout_committed,
        coalesce(payout.refused, false) as payout_refused, t.head_sequence, t.head_hash, t.created_at
    from provider.wallet_transactions as t
    join provider.game_sessions as s on s.provider_session_id = t.provider_session_id
    join provider.rounds as r on r.round_id = t.round_id
    left join provider.wallet_transactions as back on back.transaction_id = t.rollback_transaction_id
    left join lateral (
        select bool_or(c.state = 'pending') as pending, bool_or(c.state = 'committed') as committed,
            bool_or(c.state = 'refused') as refused
        from provider.wallet_transactions as c
        where t.kind = 'debit' and c.round_id = t.round_id and c.kind = 'credit'
    ) as payout on true
    where t.transaction_id = any(%(ids)s::uuid[]) and s.casino_code = %(casino)s
"""
_MARK_SEEN: Final = """
    insert into provider.reconciliation_seen as seen (transaction_id, run_id)
    select distinct id, %(run)s::bigint from unnest(%(ids)s::uuid[]) as id order by id
    on conflict (transaction_id) do update set run_id = excluded.run_id
    where seen.run_id is distinct from excluded.run_id
    returning transaction_id
"""
# A page holds rows of all casinos, so that the statement is as short for a casino with few of them.
_UNSEEN: Final = """
    select t.transaction_id, s.user_id, s.casino_code = %(casino)s and seen.transaction_id is null as unseen
    from provider.wallet_transactions as t
    join provider.game_sessions as s on s.provider_session_id = t.provider_session_id
    left join provider.reconciliation_seen as seen
        on seen.transaction_id = t.transaction_id and seen.run_id = %(run)s
    where t.transaction_id > %(after)s and t.created_at <= %(until)s
    order by t.transaction_id
    limit %(limit)s
"""
_CONTRADICTIONS: Final = """
    select t.transaction_id
    from provider.wallet_transactions as t
    join provider.game_sessions as s on s.provider_session_id = t.provider_session_id
    where t.difference_code is not null and s.casino_code = %(casino)s and t.transaction_id > %(after)s
    order by t.transaction_id
    limit %(limit)s
"""
_REPORT: Final = """
    insert into provider.reconciliation_differences (
        run_id, kind, user_id, transaction_id, ours, theirs, proposed_repair, found_at
    )
    values (%s, %s, %s, %s, %s, %s, %s, provider.clock())
    on conflict do nothing
"""
_DIFFERENCES: Final = """
    select difference_id, kind, user_id, transaction_id, ours, theirs, proposed_repair, found_at, healed_at, healed_by
    from provider.reconciliation_differences
    where run_id = %s and difference_id > %s and (healed_at is null or not %s)
    order by difference_id
    limit %s
"""
_CALL: Final = """
    select t.transaction_id, t.kind, t.reason, t.round_id, t.amount_minor, t.currency, t.related_transaction_id,
        t.original_transaction_id, t.end_round, t.request_id, t.deliveries, t.provider_session_id, s.casino_code,
        s.user_id, s.token_sealed
    from provider.wallet_transactions as t
    join provider.game_sessions as s on s.provider_session_id = t.provider_session_id
    where t.transaction_id = %(id)s and s.casino_code = %(casino)s
"""
_UNPAID_ROUND: Final = """
    select r.provider_session_id
    from provider.rounds as r
    join provider.game_sessions as s on s.provider_session_id = r.provider_session_id
    where r.round_id = %(round)s and s.user_id = %(user)s and s.casino_code = %(casino)s and not exists (
        select from provider.wallet_transactions as c
        where c.round_id = r.round_id and c.kind = 'credit' and c.state <> 'refused'
    )
"""
_IS_ANOTHERS: Final = """
    select exists (
        select from provider.wallet_transactions as t
        join provider.game_sessions as s on s.provider_session_id = t.provider_session_id
        where t.transaction_id = %(id)s and s.casino_code <> %(casino)s
    )
"""
_ACCEPTED: Final = "select o_applied from provider.record_acceptance(%s, %s, %s, %s, %s, %s)"
_REPETITION: Final = (
    "select provider.record_repetition(%(id)s, %(balance_minor)s, %(tombstone)s, %(head_sequence)s, %(head_hash)s)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One row of `provider.reconciliation_differences`."""

    difference_id: int
    kind: str
    user_id: str
    transaction_id: str
    ours: dict[str, Any] | None
    theirs: dict[str, Any] | None
    proposed_repair: str
    found_at: datetime
    healed_at: datetime | None
    healed_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One row of `provider.reconciliation_runs`, as a report needs it."""

    started_at: datetime
    compared: int
    open_count: int
    failure: str | None


class ReconciliationBooks:
    """Reads and writes the runs and differences of one casino, and reads its transactions."""

    def __init__(self, pool: Database, casino_code: str) -> None:
        self._pool = pool
        self._casino_code = casino_code

    async def begin(
        self, ran_by: str, *, heals: bool, scheduled_for: datetime | None, tries_max: int = 1, pause_seconds: float = 0
    ) -> int | None:
        """Begin a run; returns its id, or None when it may not begin now. `pause_seconds`: between two tries."""
        begin = "select provider.begin_run_of(%s, %s, %s, %s, %s, %s, %s)"
        run_id: int | None = await self._one(
            begin, self._casino_code, ran_by, heals, LEASE_SECONDS, scheduled_for, tries_max, pause_seconds
        )
        return run_id

    async def keep(self, run_id: int, *, cursor: str, compared: int, open_count: int) -> bool:
        """Renew the run's lease and store its progress; false when another process has ended the run."""
        keep = "select provider.keep_run(%s, %s, %s, %s, %s)"
        return bool(await self._one(keep, run_id, LEASE_SECONDS, cursor, compared, open_count))

    async def end(self, run_id: int, failure: str | None) -> int:
        """End the run; returns its exit status."""
        return int(await self._one("select provider.end_run(%s, %s)", run_id, failure))

    async def run(self, run_id: int) -> Run:
        """The run with this id."""
        query = "select started_at, compared, open_count, failure from provider.reconciliation_runs where run_id = %s"
        row = (await self._rows(query, run_id))[0]
        return Run(started_at=row[0], compared=row[1], open_count=row[2], failure=row[3])

    async def estimated_transactions(self) -> int:
        """The planner's estimate of the number of transactions, for a progress bar."""
        size = (
            "select greatest(reltuples, 0)::bigint from pg_class where oid = 'provider.wallet_transactions'::regclass"
        )
        return int(await self._one(size))

    async def hasten_due(self, limit: int) -> int:
        """Make up to `limit` waiting payouts and rollbacks due now; returns how many."""
        return int(await self._one("select provider.hasten_due_of(%s, %s)", self._casino_code, limit))

    async def mark_seen(self, run_id: int, transaction_ids: Sequence[UUID]) -> set[UUID]:
        """Record that a run's feed has shown these transactions; returns those that it had not shown before."""
        rows = await self._rows(_MARK_SEEN, run=run_id, ids=list(transaction_ids))
        return {row[0] for row in rows}

    async def ours(self, transaction_ids: Sequence[UUID]) -> dict[UUID, Ours]:
        """The transactions with these ids, by id; unknown ids are left out."""
        async with self._pool.connection() as connection, connection.cursor(row_factory=class_row(Ours)) as cursor:
            values = {"ids": list(transaction_ids), "casino": self._casino_code}
            found = await (await cursor.execute(_OURS, values)).fetchall()
        return {row.transaction_id: row for row in found}

    async def unseen_page(self, run_id: int, after: UUID, until: datetime, limit: int) -> list[tuple[UUID, str, bool]]:
        """Transactions of all casinos created by `until`, in order of id: id, player, whether the feed lacks it.

        Only a transaction of this casino can be lacking: one that the run's feed has not shown.
        """
        rows = await self._rows(_UNSEEN, run=run_id, after=after, until=until, limit=limit)
        return [(row[0], row[1], row[2]) for row in rows]

    async def contradictions_page(self, after: UUID, limit: int) -> list[UUID]:
        """Ids of transactions whose outcome contradicts these books."""
        return [row[0] for row in await self._rows(_CONTRADICTIONS, after=after, limit=limit)]

    async def report(
        self, run_id: int, kind: str, *, who: tuple[str, str], both: tuple[Ours | None, Theirs | Unreadable | None]
    ) -> None:
        """Record a difference. `who`: player and transaction id. `both`: the transaction here and in the wallet."""
        shown = [None if each is None else Jsonb(each.shown()) for each in both]
        async with self._pool.connection() as connection:
            await connection.execute(_REPORT, (run_id, kind, *who, *shown, proposal(kind, *both)))

    async def differences_page(
        self, run_id: int, after: int, limit: int, *, unhealed_only: bool = False
    ) -> list[Difference]:
        """A page of a run's differences, in the order of recording."""
        async with self._pool.connection() as connection, connection.cursor(row_factory=class_row(Difference)) as read:
            return await (await read.execute(_DIFFERENCES, (run_id, after, unhealed_only, limit))).fetchall()

    async def close(self, difference_id: int, healed_by: str) -> None:
        """Record that a difference is repaired, and how."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "update provider.reconciliation_differences set healed_at = provider.clock(), healed_by = %s"
                " where difference_id = %s and healed_at is null",
                (healed_by, difference_id),
            )

    async def call_of(self, transaction_id: UUID) -> DueCall | None:
        """The call of a transaction, for sending it again; None when the id is unknown."""
        async with self._pool.connection() as connection, connection.cursor(row_factory=class_row(DueCall)) as cursor:
            values = {"id": transaction_id, "casino": self._casino_code}
            return await (await cursor.execute(_CALL, values)).fetchone()

    async def unpaid_round_session(self, round_id: UUID, user_id: str) -> UUID | None:
        """The session of this player's round; None when the round is unknown or has a payout."""
        rows = await self._rows(_UNPAID_ROUND, round=round_id, user=user_id)
        return rows[0][0] if rows else None

    async def is_anothers(self, transaction_id: UUID) -> bool:
        """Whether these books have this transaction for another casino."""
        return bool((await self._rows(_IS_ANOTHERS, id=transaction_id))[0][0])

    async def settle(self, transaction_id: UUID, theirs: Theirs, *, tombstone: bool) -> bool:
        """Record the wallet's acceptance of a pending call; false when its outcome is known already."""
        values = (transaction_id, theirs.balance_after_minor, tombstone, 0, None, None)
        rows = await self._rows(_ACCEPTED, *values)
        return bool(rows[0][0])

    async def record_repetition(self, transaction_id: UUID, accepted: Accepted) -> None:
        """Record the wallet's answer to a call that it had lost and that was sent again."""
        async with self._pool.connection() as connection:
            await connection.execute(_REPETITION, {"id": transaction_id} | acceptance_values(accepted))

    async def _one(self, statement: str, *values: Any) -> Any:
        rows = await self._rows(statement, *values)
        return rows[0][0]

    async def _rows(self, statement: str, *values: Any, **named: Any) -> list[tuple[Any, ...]]:
        """The rows of a statement. One with named parameters also gets the casino's code."""
        given = values or {"casino": self._casino_code, **named}
        async with self._pool.connection() as connection:
            return await (await connection.execute(statement, given)).fetchall()
